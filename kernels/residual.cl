// The residual stream x [rows, rowStride / D, D]: sums, swaps, blends and differences of its rows.
//
// ND-range, except residual_blend: (WG, tokens, n), local (WG, 1, 1); WG work-items share one token.
// Row lists are in `lists`; a launch uses n entries from each of the offsets it is given.

// x[dst[i], t, :] = o[src[i], t, :] + x[base[i], t, :]
//
// o  [*, tokens, D]  a stage's output, bias included
// src is the row whose output is added: the row's own, or, where attn_out or mlp_out is patched, the source's. base is
// the row that it is added to: dst itself, or, where dst is born here, the row it is a copy of. No dst may be another
// entry's base in the same launch.
__kernel void residual_add(__global float *x, int rowStride, __global const float *o, __global const int *lists,
                           int dst, int base, int src, int tokens, int D) {
  int lane = get_local_id(0), t = get_global_id(1), i = get_global_id(2);
  __global float *to = x + (size_t)lists[dst + i] * rowStride + (size_t)t * D;
  __global const float *from = x + (size_t)lists[base + i] * rowStride + (size_t)t * D;
  __global const float *add = o + ((size_t)lists[src + i] * tokens + t) * D;
  int whole = D - D % V;
  for (int d = lane * V; d < whole; d += WG * V) STOREG(LOADG(add + d) + LOADG(from + d), to + d);
  for (int d = whole + lane; d < D; d += WG) to[d] = add[d] + from[d];
}

// x[dst[i], t, :] = x[src[i], t, :]
//
// The in-place swap: a row born from, or patched with, another row of the batch.
__kernel void residual_copy(__global float *x, int rowStride, __global const int *lists, int dst, int src, int tokens,
                            int D) {
  int lane = get_local_id(0), t = get_global_id(1), i = get_global_id(2);
  __global float *to = x + (size_t)lists[dst + i] * rowStride + (size_t)t * D;
  __global const float *from = x + (size_t)lists[src + i] * rowStride + (size_t)t * D;
  int whole = D - D % V;
  for (int d = lane * V; d < whole; d += WG * V) STOREG(LOADG(from + d), to + d);
  for (int d = whole + lane; d < D; d += WG) to[d] = from[d];
}

// x[dst[i]] = x[a[i]] + t (x[b[i]] - x[a[i]])        rows of rowElements floats
//
// ND-range: (1 on CPUs, a work-item per vector on GPUs, n), local (WG, 1)
__kernel void residual_blend(__global float *x, int rowElements, __global const int *lists, int dst, int a, int b,
                             float t) {
  int item = get_global_id(0), items = get_global_size(0), i = get_global_id(1);
  __global float *to = x + (size_t)lists[dst + i] * rowElements;
  __global const float *from = x + (size_t)lists[a + i] * rowElements;
  __global const float *other = x + (size_t)lists[b + i] * rowElements;
  int whole = rowElements - rowElements % V;
  for (int d = item * V; d < whole; d += items * V) {
    floatv start = LOADG(from + d);
    STOREG(fma((floatv)(t), LOADG(other + d) - start, start), to + d);
  }
  for (int d = whole + item; d < rowElements; d += items) to[d] = fma(t, other[d] - from[d], from[d]);
}

// o[position + i, t, :] = x[a[i], t, :] - x[b[i], t, :]
//
// o  [*, tokens, D]  a stage's output, from the stream after and before it
__kernel void residual_difference(__global const float *x, int rowStride, __global const int *lists, int a, int b,
                                  int tokens, int D, __global float *o, int position) {
  int lane = get_local_id(0), t = get_global_id(1), i = get_global_id(2);
  __global const float *after = x + (size_t)lists[a + i] * rowStride + (size_t)t * D;
  __global const float *before = x + (size_t)lists[b + i] * rowStride + (size_t)t * D;
  __global float *to = o + ((size_t)(position + i) * tokens + t) * D;
  int whole = D - D % V;
  for (int d = lane * V; d < whole; d += WG * V) STOREG(LOADG(after + d) - LOADG(before + d), to + d);
  for (int d = whole + lane; d < D; d += WG) to[d] = after[d] - before[d];
}
