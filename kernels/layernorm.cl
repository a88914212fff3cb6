// out[i, t, :] = (x - mean) / sqrt(variance + eps) * weight + bias,   x = in[rows[i], t, :]
//
// in      [*, rowStride / D, D]   the residual stream
// rows    row list; this launch takes rows[first ..< first + n]
// out     [n, tokens, D]          packed
// weight, bias [D]
// ND-range: (WG, tokens, n), local (WG, 1, 1); WG work-items share one token
// The variance is biased, from the centred values (two passes), as in torch.nn.LayerNorm.

__kernel void layernorm_rows(__global const float *in, int rowStride, __global const int *rows, int first, int tokens,
                             int D, __global const float *weight, __global const float *bias, float eps,
                             __global float *out) {
  __local float scratch[WG];
  int lane = get_local_id(0), t = get_global_id(1), i = get_global_id(2);
  __global const float *x = in + (size_t)rows[first + i] * rowStride + (size_t)t * D;
  __global float *y = out + ((size_t)i * tokens + t) * D;
  int whole = D - D % V;

  float2 moments = group_moments(x, D, lane, scratch);
  float mean = moments.x, inverse = 1.0f / sqrt(moments.y + eps);
  for (int d = lane * V; d < whole; d += WG * V)
    STOREG(fma((LOADG(x + d) - mean) * inverse, LOADG(weight + d), LOADG(bias + d)), y + d);
  for (int d = whole + lane; d < D; d += WG) y[d] = fma((x[d] - mean) * inverse, weight[d], bias[d]);
}

// x[r, h, :] = the same norm of x[r, h, :], in place: queries or keys, head by head
//
// x       rows of H * D values from `offset` on, `stride` apart
// weight, bias [D]
// ND-range: (WG, H, rows), local (WG, 1, 1)
__kernel void layernorm_heads(__global float *x, int offset, int stride, int D, __global const float *weight,
                              __global const float *bias, float eps) {
  __local float scratch[WG];
  int lane = get_local_id(0);
  x += offset + (size_t)get_global_id(2) * stride + (size_t)get_global_id(1) * D;
  int whole = D - D % V;

  float2 moments = group_moments(x, D, lane, scratch);
  float mean = moments.x, inverse = 1.0f / sqrt(moments.y + eps);
  for (int d = lane * V; d < whole; d += WG * V)
    STOREG(fma((LOADG(x + d) - mean) * inverse, LOADG(weight + d), LOADG(bias + d)), x + d);
  for (int d = whole + lane; d < D; d += WG) x[d] = fma((x[d] - mean) * inverse, weight[d], bias[d]);
}

// x[r, :] = x[r, :] / |x[r, :]|, the Euclidean length, in place
//
// x  [rows, D], packed, from `offset` on
// ND-range: (WG, rows), local (WG, 1)
__kernel void normalize_rows(__global float *x, int offset, int D) {
  __local float scratch[WG];
  int lane = get_local_id(0);
  x += offset + (size_t)get_global_id(1) * D;
  float squares = 0.0f;
  for (int d = lane; d < D; d += WG) squares = fma(x[d], x[d], squares);
  float length = sqrt(group_sum(squares, lane, scratch));
  for (int d = lane; d < D; d += WG) x[d] /= length;
}
