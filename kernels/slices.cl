// Copies slices of activations from one pass to another inside one buffer: the swap, wherever it is not a whole row of
// the residual stream.
//
//   buffer[dst, t, col ..< col + width] = buffer[src, t, col ..< col + width]      for t in a list of tokens
//
// buffer  slots of slotStride floats from `offset` on, tokens tokenStride apart: x, o, qkv, z or the MLP's hidden layer
// lists   from `first` on six ints an entry: dst, src, col, width, tokens, tokenCount; `tokens` is where in `lists` the
//         entry's tokens stand
// No entry's src slice is another's dst in the same launch.
// ND-range: (WG, most tokens of an entry, entries), local (WG, 1, 1); WG work-items share one token's slice

__kernel void slices_copy(__global float *buffer, int offset, int slotStride, int tokenStride,
                          __global const int *lists, int first) {
  int lane = get_local_id(0), i = get_global_id(1);
  __global const int *entry = lists + first + 6 * (int)get_global_id(2);
  if (i >= entry[5]) return;
  size_t at = (size_t)offset + (size_t)lists[entry[4] + i] * tokenStride + entry[2];
  __global float *to = buffer + at + (size_t)entry[0] * slotStride;
  __global const float *from = buffer + at + (size_t)entry[1] * slotStride;
  int width = entry[3], whole = width - width % V;
  for (int d = lane * V; d < whole; d += WG * V) STOREG(LOADG(from + d), to + d);
  for (int d = whole + lane; d < width; d += WG) to[d] = from[d];
}
