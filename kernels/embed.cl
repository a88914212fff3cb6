// From pixels to the encoder's input, before and after the GEMM of the patch convolution.

// out[i * Np + p, (c * PH + y) * PW + x] = pixels[first + i, c, (p / columns) * PH + y, (p % columns) * PW + x]
//
// pixels  [*, channels, H, W] from `offset` on
// out     [n * Np, channels * PH * PW]   Np = rows * columns of whole patches in H and W
// ND-range: CPUs (Np, n), a work-item per patch; GPUs (values / run or more, n), a work-item per run of an image's
// values in out: 4 where PW is a multiple of 4, else 1
#if WG > 1
__kernel void patches(__global const float *pixels, int offset, int first, int channels, int H, int W, int PH, int PW,
                      __global float *out) {
  int run = PW % 4 == 0 ? 4 : 1, at = get_global_id(0) * run, i = get_global_id(1), columns = W / PW;
  int values = H / PH * columns * channels * PH * PW;
  if (at >= values) return;
  int x = at % PW, y = at / PW % PH, c = at / (PH * PW) % channels, p = at / (PH * PW * channels);
  __global const float *from = pixels + offset + ((size_t)(first + i) * channels + c) * H * W
      + (size_t)(p / columns * PH + y) * W + p % columns * PW + x;
  __global float *to = out + (size_t)i * values + at;
  if (run == 4) store_global(load_global(from), to);
  else *to = *from;
}
#else
__kernel void patches(__global const float *pixels, int offset, int first, int channels, int H, int W, int PH, int PW,
                      __global float *out) {
  int p = get_global_id(0), i = get_global_id(1), columns = W / PW;
  __global const float *image = pixels + offset + (size_t)(first + i) * channels * H * W;
  __global float *to = out + ((size_t)i * (H / PH) * columns + p) * channels * PH * PW;
  for (int c = 0; c < channels; c++)
    for (int y = 0; y < PH; y++) {
      __global const float *from = image + ((size_t)c * H + (p / columns) * PH + y) * W + (p % columns) * PW;
      for (int x = 0; x < PW; x++) *to++ = from[x];
    }
}
#endif

// x[first + i, t, :] = (t < n ? prefix[t, :] : e[i * Np + t - n, :]) + position[t, :],   n = prefixTokens
//
// e         [n * Np, D]   patch projections, bias included
// prefix    [n, D]       CLS and other tokens before the patches
// position  [T, D]
// ND-range: (WG, T, n), local (WG, 1, 1)
__kernel void embed(__global const float *e, __global const float *prefix, int prefixTokens,
                    __global const float *position, int T, int D, int first, __global float *x) {
  int lane = get_local_id(0), t = get_global_id(1), i = get_global_id(2);
  __global const float *from = t < prefixTokens ? prefix + (size_t)t * D
      : e + ((size_t)i * (T - prefixTokens) + t - prefixTokens) * D;
  __global const float *add = position + (size_t)t * D;
  __global float *to = x + ((size_t)(first + i) * T + t) * D;
  for (int d = lane; d < D; d += WG) to[d] = from[d] + add[d];
}
