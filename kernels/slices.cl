// Copies slices of activations from one pass to another inside one buffer: every swap that is not a whole row of the
// residual stream.
//
//   buffer[dst, t, col ..< col + width] = buffer[src, t, col ..< col + width]      for t in a list of tokens
//
// buffer  slots of slotStride floats from `offset` on, tokens tokenStride apart: x, o, qkv, z or the MLP's hidden layer
// lists   SliceEntry structs from `first` on
// No entry's src slice is another's dst in the same launch.
// ND-range: (WG, most tokens of an entry, entries), local (WG, 1, 1); WG work-items share one token's slice

// As SliceEntry in Slices.swift
typedef struct {
  int dst, src;            // slots
  int column, width;       // of every token
  int tokens, tokenCount;  // where the entry's tokens start in `lists`, and their number
} SliceEntry;

__kernel void slices_copy(__global float *buffer, int offset, int slotStride, int tokenStride,
                          __global const int *lists, int first) {
  int lane = get_local_id(0), i = get_global_id(1);
  SliceEntry entry = ((__global const SliceEntry *)(lists + first))[get_global_id(2)];
  if (i >= entry.tokenCount) return;
  size_t at = (size_t)offset + (size_t)lists[entry.tokens + i] * tokenStride + entry.column;
  __global float *to = buffer + at + (size_t)entry.dst * slotStride;
  __global const float *from = buffer + at + (size_t)entry.src * slotStride;
  int width = entry.width, whole = width - width % V;
  for (int d = lane * V; d < whole; d += WG * V) STOREG(LOADG(from + d), to + d);
  for (int d = whole + lane; d < width; d += WG) to[d] = from[d];
}
