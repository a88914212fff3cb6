// out[i, :] = mean over t in [token, token + count) of in[row(i), t, :],   row(i) = rows[first + i], or i if not
// `listed`
//
// in     [*, rowStride / D, D]   the residual stream, or its normed rows
// out    [n, outStride] from outOffset on: D values per row
// ND-range: (WG, n), local (WG, 1)
// Tokens are summed in order, so the result does not depend on the number of rows.

__kernel void pool(__global const float *in, int rowStride, __global const int *rows, int listed, int first, int token,
                   int count, int D, __global float *out, int outOffset, int outStride) {
  int lane = get_local_id(0), i = get_global_id(1);
  __global const float *x = in + (size_t)(listed ? rows[first + i] : i) * rowStride + (size_t)token * D;
  __global float *y = out + (size_t)outOffset + (size_t)i * outStride;
  for (int d = lane; d < D; d += WG) {
    float sum = 0.0f;
    for (int t = 0; t < count; t++) sum += x[(size_t)t * D + d];
    y[d] = sum / count;
  }
}

// out[i, t, :] = [itself +] in[i, :] / count for t in [token, token + count), and 0 for other tokens: the gradient
//
// in     rows of `stride` floats from `offset` on
// out    [n, tokens, D]
// ND-range: (WG, tokens, n), local (WG, 1, 1)
__kernel void pool_backward(__global const float *in, int offset, int stride, int token, int count, int D,
                            __global float *out, int accumulate) {
  int lane = get_local_id(0), t = get_global_id(1), tokens = get_global_size(1), i = get_global_id(2);
  __global const float *x = in + (size_t)offset + (size_t)i * stride;
  __global float *y = out + ((size_t)i * tokens + t) * D;
  bool isRead = t >= token && t < token + count;
  for (int d = lane; d < D; d += WG) {
    float own = isRead ? x[d] / count : 0.0f;
    y[d] = accumulate ? y[d] + own : own;
  }
}
