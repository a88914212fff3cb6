// out[m, n] = act(sum_k a[m, k] * weight[n, k] + bias[n])        for CPUs with AMX
//
// or, for the rows that residual_row (epilogue.cl, in front of this file) finds in x: x += the same. Their rows of out
// are left as they are.
//
// Products run on tiles, of bf16 parts with fp32 sums (amx.cl, in front of this file).
//
// 32 rows, or 32 columns, and 32 k are two tiles a part, 1 KB each (AMXPacking.swift packs the weight so):
//
//   weight [N, K]  ->  w [ceil(N / 32), ceil(K / 32), PARTS, 2, 16 pairs of k, 16 n, 2]
//
// A work-item is a core. It takes tasks from a counter until there are none: `blocks` of at most STRIPS strips of 32
// rows, times `groups` of panels of 32 columns. It splits the block of a into `as`, and multiplies each panel with each
// strip, 2 x 2 tiles at a time: with two parts, 8 loads of tiles for 12 products. K goes in blocks of KC; between two
// of them the sums wait in `waiting`, and a group has at most PANELS panels then.
//
// Every output is one chain of tile products over k from 0 on, whatever M is and whichever strip it falls in.
//
// a     rows of aStride floats from aOffset on, [M, K]
// bias  [N], padded to whole panels
// out   rows of outStride floats from outOffset on, [M, N]
// next  two numbers, 0 before and after: the next task, and the work-items that have ended
// ND-range: as many work-items as cores, local 1
//
// activation                as in epilogue.cl
// PARTS, STRIPS, PANELS, KC as above, KC a multiple of 32; no defaults. V is 16.

#define STEPS (KC / 32)

// 32 sums of a row to out, or onto the residual stream
static inline void store(float16 first, float16 second, __global float *to, int count, bool isAdded) {
  if (count >= 32) {
    if (isAdded) {
      vstore16(vload16(0, to) + first, 0, to);
      vstore16(vload16(1, to) + second, 1, to);
    } else if ((size_t)to % 64 == 0) {
      STREAM(first, to)
      STREAM(second, to + 16)
    } else {
      vstore16(first, 0, to);
      vstore16(second, 1, to);
    }
  } else {
    float values[32];
    vstore16(first, 0, values);
    vstore16(second, 1, values);
    for (int i = 0; i < count; i++) to[i] = isAdded ? to[i] + values[i] : values[i];
  }
}

__attribute__((reqd_work_group_size(1, 1, 1)))
__kernel void gemm_amx(__global const float *a, int aOffset, int aStride, __global const uchar *w,
                       __global const float *bias, int M, int N, int K, int activation, __global float *out,
                       int outOffset, int outStride, __global float *x, int rowStride, __global const int *lists,
                       int first, int tokens, int blocks, int groups, __global int *next) {
  // [STRIPS, STEPS, PARTS, 2, 16 m, 32 k]
  __local uchar as[STRIPS * STEPS * STEP] __attribute__((aligned(128)));
  // [STRIPS, PANELS, 2, 2, 16 m, 16 n] floats
  __local uchar waiting[STRIPS * PANELS * 4096] __attribute__((aligned(128)));
  float sums[32 * 32] __attribute__((aligned(64)));  // of a strip and a panel

  int strips = (M + 31) / 32, panels = (N + 31) / 32, steps = (K + 31) / 32;
  a += (size_t)aOffset;
  out += (size_t)outOffset;
  int heldBlock = -1, heldStep = -1;  // what `as` holds
  TILES_BEGIN
  while (true) {
    int task = atomic_inc(next);
    if (task >= blocks * groups) break;
    int block = task / groups, group = task - block * groups;
    int s0 = (long)strips * block / blocks, s1 = (long)strips * (block + 1) / blocks;
    int p0 = (long)panels * group / groups, p1 = (long)panels * (group + 1) / groups;
    for (int k0 = 0; k0 < steps; k0 += STEPS) {
      int count = min(steps - k0, STEPS);
      if (block != heldBlock || k0 != heldStep) {
        for (int s = s0; s < s1; s++)
          for (int k = 0; k < count; k++) {
            __local uchar *to = as + ((s - s0) * STEPS + k) * STEP;
            // Rows past the last repeat it; they are computed and not stored.
            for (int r = 0; r < 32; r++) {
              int16 high, low = 0;
              split_row(a + (size_t)min(s * 32 + r, M - 1) * aStride + (k0 + k) * 32, K - (k0 + k) * 32, &high, &low);
              put_parts(high, low, to + r * 64);
            }
          }
        heldBlock = block;
        heldStep = k0;
      }
      for (int p = p0; p < p1; p++) {
        __global const uchar *panel = w + ((size_t)p * steps + k0) * STEP;
        __global const uchar *ahead = p + 1 < p1 ? panel + (size_t)steps * STEP : panel;
        for (int s = s0; s < s1; s++) {
          __local uchar *mine = waiting + ((s - s0) * PANELS + p - p0) * 4096;
          if (k0 == 0) {
            TILE_ZERO(0) TILE_ZERO(1) TILE_ZERO(2) TILE_ZERO(3)
          } else {
            TILE_LOAD(0, mine, 0, 64) TILE_LOAD(1, mine, 1024, 64)
            TILE_LOAD(2, mine, 2048, 64) TILE_LOAD(3, mine, 3072, 64)
          }
          __local const uchar *at = as + (s - s0) * STEPS * STEP;
          __global const uchar *wt = panel;
          for (int k = 0; k < count; k++, at += STEP, wt += STEP) {
            // The next panel, a part of it with each of the first 8 strips
            if (s - s0 < 8) {
              __global const uchar *line = ahead + (size_t)k * STEP + (s - s0) * (STEP / 8);
#pragma unroll
              for (int i = 0; i < STEP / 8; i += 64) PREFETCH(line + i)
            }
            MULTIPLY_STEP(at, wt)
          }
          if (k0 + STEPS < steps) {
            TILE_STORE(0, mine, 0, 64) TILE_STORE(1, mine, 1024, 64)
            TILE_STORE(2, mine, 2048, 64) TILE_STORE(3, mine, 3072, 64)
            continue;
          }
          uchar *to = (uchar *)sums;
          TILE_STORE(0, to, 0, 128) TILE_STORE(1, to, 64, 128)
          TILE_STORE(2, to, 2048, 128) TILE_STORE(3, to, 2112, 128)
          float16 add0 = vload16(0, bias + p * 32), add1 = vload16(1, bias + p * 32);
          for (int r = 0; r < min(32, M - s * 32); r++) {
            float16 y0 = vload16(2 * r, sums) + add0, y1 = vload16(2 * r + 1, sums) + add1;
            if (activation != ACT_NONE) {
              y0 = activate_floatv(y0, activation);
              y1 = activate_floatv(y1, activation);
            }
            int m = s * 32 + r;
            __global float *residual = residual_row(x, rowStride, lists, first, tokens, m, N);
            __global float *row = residual ? residual : out + (size_t)m * outStride;
            store(y0, y1, row + p * 32, N - p * 32, residual != 0);
          }
        }
      }
    }
  }
  TILES_END
  // The last one leaves both as it found them.
  if (atomic_inc(next + 1) == get_global_size(0) - 1) {
    next[0] = 0;
    next[1] = 0;
  }
}
