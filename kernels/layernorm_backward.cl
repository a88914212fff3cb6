// out[i, t, :] = (t < addTokens ? add[i, t, :] : 0) + (y - mean(y) - n mean(y n)) / sqrt(variance(x) + eps)
//
// with y = gradient[i, t, :] * weight and n = (x - mean(x)) / sqrt(variance(x) + eps), x = in[rows[first + i], t, :]:
// the gradient at the input of layernorm_rows from that at its output, plus the input's other gradients.
//
// in        [*, rowStride / D, D]   the residual stream
// rows      row list; this launch takes rows[first ..< first + n]
// gradient  [n, tokens, D]
// add       [n, addTokens, D]
// out       [n, tokens, D]; may be gradient, and add where addTokens is tokens
// ND-range: (WG, tokens, n), local (WG, 1, 1); WG work-items share one token

__kernel void layernorm_backward(__global const float *in, int rowStride, __global const int *rows, int first,
                                 int tokens, int D, __global const float *weight, float eps,
                                 __global const float *gradient, __global const float *add, int addTokens,
                                 __global float *out) {
  __local float scratch[WG];
  int lane = get_local_id(0), t = get_global_id(1), i = get_global_id(2);
  __global const float *x = in + (size_t)rows[first + i] * rowStride + (size_t)t * D;
  __global const float *g = gradient + ((size_t)i * tokens + t) * D;
  __global const float *other = add + ((size_t)i * addTokens + t) * D;
  __global float *to = out + ((size_t)i * tokens + t) * D;
  bool adds = t < addTokens;
  int whole = D - D % V;

  float2 moments = group_moments(x, D, lane, scratch);
  float mean = moments.x, inverse = 1.0f / sqrt(moments.y + eps);
  floatv sum = 0.0f, product = 0.0f;
  float restSum = 0.0f, restProduct = 0.0f;
  for (int d = lane * V; d < whole; d += WG * V) {
    floatv y = LOADG(g + d) * LOADG(weight + d);
    sum += y;
    product = fma(y, (LOADG(x + d) - mean) * inverse, product);
  }
  for (int d = whole + lane; d < D; d += WG) {
    float y = g[d] * weight[d];
    restSum += y;
    restProduct = fma(y, (x[d] - mean) * inverse, restProduct);
  }
  float meanY = group_sum(lane_sum(sum) + restSum, lane, scratch) / D;
  float meanProduct = group_sum(lane_sum(product) + restProduct, lane, scratch) / D;

  for (int d = lane * V; d < whole; d += WG * V) {
    floatv centred = LOADG(g + d) * LOADG(weight + d) - meanY;
    floatv y = fma((LOADG(x + d) - mean) * inverse, (floatv)(-meanProduct), centred);
    STOREG(fma(y, (floatv)(inverse), adds ? LOADG(other + d) : (floatv)(0.0f)), to + d);
  }
  for (int d = whole + lane; d < D; d += WG) {
    float y = fma((x[d] - mean) * inverse, -meanProduct, g[d] * weight[d] - meanY);
    to[d] = fma(y, inverse, adds ? other[d] : 0.0f);
  }
}

// The same for the norms of queries or keys, head by head, in place of g, with nothing added
//
// in  [rows, H * D] the norm's input, from inOffset on, rows inStride apart
// g   [rows, H * D] from `offset` on, rows `stride` apart
// ND-range: (WG, H, rows), local (WG, 1, 1)
__kernel void layernorm_heads_backward(__global const float *in, int inOffset, int inStride, int D,
                                       __global const float *weight, float eps, __global float *g, int offset,
                                       int stride) {
  __local float scratch[WG];
  int lane = get_local_id(0);
  in += inOffset + (size_t)get_global_id(2) * inStride + (size_t)get_global_id(1) * D;
  g += offset + (size_t)get_global_id(2) * stride + (size_t)get_global_id(1) * D;

  float2 moments = group_moments(in, D, lane, scratch);
  float mean = moments.x, inverse = 1.0f / sqrt(moments.y + eps), sum = 0.0f, product = 0.0f;
  for (int d = lane; d < D; d += WG) {
    float y = g[d] * weight[d];
    sum += y;
    product = fma(y, (in[d] - mean) * inverse, product);
  }
  float meanY = group_sum(sum, lane, scratch) / D, meanProduct = group_sum(product, lane, scratch) / D;
  for (int d = lane; d < D; d += WG)
    g[d] = fma((in[d] - mean) * inverse, -meanProduct, g[d] * weight[d] - meanY) * inverse;
}

// g[r, :] = (g - n (n . g)) / |x|, with n = x / |x|, x = in[r, :]: the gradient of normalize_rows, in place
//
// in, g  [rows, D], packed
// ND-range: (WG, rows), local (WG, 1)
__kernel void normalize_rows_backward(__global const float *in, int D, __global float *g) {
  __local float scratch[WG];
  int lane = get_local_id(0);
  in += (size_t)get_global_id(1) * D;
  g += (size_t)get_global_id(1) * D;
  float squares = 0.0f, product = 0.0f;
  for (int d = lane; d < D; d += WG) {
    squares = fma(in[d], in[d], squares);
    product = fma(in[d], g[d], product);
  }
  squares = group_sum(squares, lane, scratch);
  float share = group_sum(product, lane, scratch) / squares, length = sqrt(squares);
  for (int d = lane; d < D; d += WG) g[d] = fma(in[d], -share, g[d]) / length;
}
