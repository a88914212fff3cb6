// From pixels to the encoder's input, around the GEMM that is the patch convolution.

// out[i * Np + p, (c * P + y) * P + x] = pixels[first + i, c, (p / grid) * P + y, (p % grid) * P + x]
//
// pixels  [*, channels, S, S] from `offset` on
// out     [n * Np, channels * P * P]   Np = grid * grid
// ND-range: CPUs (Np, n), a work-item a patch; GPUs (values / run or more, n), a work-item a run of an image's values
// in out: 4 where P is a multiple of 4, else 1
#if WG > 1
__kernel void patches(__global const float *pixels, int offset, int first, int channels, int S, int P, int grid,
                      __global float *out) {
  int run = P % 4 == 0 ? 4 : 1, at = get_global_id(0) * run, i = get_global_id(1);
  int values = grid * grid * channels * P * P;
  if (at >= values) return;
  int x = at % P, y = at / P % P, c = at / (P * P) % channels, p = at / (P * P * channels);
  __global const float *from = pixels + offset + ((size_t)(first + i) * channels + c) * S * S
      + (size_t)(p / grid * P + y) * S + p % grid * P + x;
  __global float *to = out + (size_t)i * values + at;
  if (run == 4) store_global(load_global(from), to);
  else *to = *from;
}
#else
__kernel void patches(__global const float *pixels, int offset, int first, int channels, int S, int P, int grid,
                      __global float *out) {
  int p = get_global_id(0), i = get_global_id(1);
  __global const float *image = pixels + offset + (size_t)(first + i) * channels * S * S;
  __global float *to = out + ((size_t)i * grid * grid + p) * channels * P * P;
  for (int c = 0; c < channels; c++)
    for (int y = 0; y < P; y++) {
      __global const float *from = image + ((size_t)c * S + (p / grid) * P + y) * S + (p % grid) * P;
      for (int x = 0; x < P; x++) *to++ = from[x];
    }
}
#endif

// x[first + i, t, :] = (t < n ? prefix[t, :] : e[i * Np + t - n, :]) + position[t, :],   n = prefixTokens
//
// e         [n * Np, D]   patch projections, bias included
// prefix    [n, D]       CLS and whatever else stands in front of the patches
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
