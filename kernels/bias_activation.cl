// out[m, n] = act(out[m, n] + bias[n])        in place, after a GEMM that has no epilogue of its own
//
// out   [rows, width], row stride `stride`
// bias  [width]
// ND-range: (WG, rows), local (WG, 1)
// ACTIVATIONs as in activation.cl, which stands in front of this file

__kernel void bias_activation(__global float *out, int offset, int stride, int width, __global const float *bias,
                              int activation) {
  __global float *row = out + (size_t)offset + (size_t)get_global_id(1) * stride;
  int lane = get_local_id(0);
  int whole = width - width % V;
  for (int n = lane * V; n < whole; n += WG * V)
    STOREV(activate_floatv(LOADV(row + n) + LOADV(bias + n), activation), row + n);
  for (int n = whole + lane; n < width; n += WG) row[n] = activate_float(row[n] + bias[n], activation);
}
