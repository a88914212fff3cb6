// out[m, n] = act(out[m, n] + bias[n])        in place, after a GEMM without an epilogue
//
// or, for rows where residual_row (epilogue.cl, prepended) returns a row of x: x += act(out + bias), out unchanged
//
// out   [rows, width], row stride `stride`
// bias  [width]
// ND-range: (WG, rows), local (WG, 1)
// ACTIVATION: as in epilogue.cl

__kernel void bias_activation(__global float *out, int offset, int stride, int width, __global const float *bias,
                              __global float *x, int rowStride, __global const int *lists, int first,
                              int tokens) {
  int lane = get_local_id(0), m = get_global_id(1);
  __global float *row = out + (size_t)offset + (size_t)m * stride;
  __global float *to = residual_row(x, rowStride, lists, first, tokens, m, width);
  int whole = width - width % V;
  if (to) {
    for (int n = lane * V; n < whole; n += WG * V)
      STOREG(activate_floatv(LOADG(row + n) + LOADG(bias + n), ACTIVATION) + LOADG(to + n), to + n);
    for (int n = whole + lane; n < width; n += WG) to[n] = activate_float(row[n] + bias[n], ACTIVATION) + to[n];
  } else {
    for (int n = lane * V; n < whole; n += WG * V)
      STOREG(activate_floatv(LOADG(row + n) + LOADG(bias + n), ACTIVATION), row + n);
    for (int n = whole + lane; n < width; n += WG) row[n] = activate_float(row[n] + bias[n], ACTIVATION);
  }
}

// out[i] = act(in[i]): for a hidden layer whose values before the activation are kept
//
// ND-range: (ceil(count / V)); `offset` applies to both buffers
__kernel void activate(__global const float *in, __global float *out, int offset, int count, int activation) {
  int i = get_global_id(0) * V;
  in += offset;
  out += offset;
  if (i + V <= count) {
    STOREG(activate_floatv(LOADG(in + i), activation), out + i);
  } else {
    for (; i < count; i++) out[i] = activate_float(in[i], activation);
  }
}

// out[r, i] = act(in[r, i]) * in[r, width + i]: the hidden layer of a gated MLP, from gate and up side by side
//
// in   [rows, 2 * width] from inOffset on
// out  [rows, width] from outOffset on
// ND-range: (ceil(width / V), rows)
__kernel void activate_gated(__global const float *in, int inOffset, __global float *out, int outOffset, int width,
                             int activation) {
  int i = get_global_id(0) * V;
  size_t r = get_global_id(1);
  in += inOffset + r * 2 * width;
  out += outOffset + r * width;
  if (i + V <= width) {
    STOREG(activate_floatv(LOADG(in + i), activation) * LOADG(in + width + i), out + i);
  } else {
    for (; i < width; i++) out[i] = activate_float(in[i], activation) * in[width + i];
  }
}
