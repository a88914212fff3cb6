// The kernels of attention.cl for GPUs: work-groups share keys and values through local memory.
//
// Arguments and results as there; online softmax (Milakov and Gimelshein 2018; Dao et al. 2022) as there too. A group
// holds BQ queries of a head and meets KEYS keys at a time. Both products are register tiles: a work-item has 4 queries
// x 4 keys of the scores, and 4 queries x COLS * 4 columns of z; weights go from one to the other through local memory.
//
//            KEYS                                DH
//          +------+                            +----+
//       DH | keys |                       KEYS | v  |         the same local memory, one after the other
//   BQ +---+------+                   BQ +-----+----+
//      | q | s    |   p = 2^(s - max)    |  p  | z  |
//
// Work-item (ty, tx), TX of tx: queries 4 ty ..< 4 ty + 4, keys 4 tx ..< 4 tx + 4, and every TX-th float4 of z's
// columns from the tx-th on. A query's largest score is looked up over its TX work-items in every block, their sums
// once at the end.
//
// ND-range: (ceil(queries / BQ) * ITEMS, H, n), local (ITEMS, 1, 1); attention_pattern_group: (ceil(most tokens / BQ) *
// ITEMS, entries), local (ITEMS, 1)
//
// DH  width of a head (no default)
// BQ  queries in a group, a multiple of 4

#ifndef BQ
#define BQ 16
#endif
#define TX 8
#define ITEMS (BQ / 4 * TX)
#define KEYS (4 * TX)
#define KEY_STRIDE KEYS
#define P_STRIDE (BQ + 4)       // other banks for the neighbouring keys of a work-item's row
#define SHARED_STRIDE (BQ + 4)
#define D4 ((DH + 3) / 4)
#define COLS ((D4 + TX - 1) / TX)
#define KV_SIZE (KEYS * D4 * 4)

DEFINE_EXP2(float, as_float, as_int)
DEFINE_EXP2(float4, as_float4, as_int4)

// Columns d ..< d + 4 of a row of DH; those past the last are 0.
static inline float4 load_row(__global const float *p, int d, bool aligned) {
  if (aligned && d + 4 <= DH) return *(__global const float4 *)(p + d);
  return (float4)(p[d], d + 1 < DH ? p[d + 1] : 0.0f, d + 2 < DH ? p[d + 2] : 0.0f, d + 3 < DH ? p[d + 3] : 0.0f);
}

// The same to local memory, `stride` apart, from column d on.
static inline void put_column(__local float *to, int stride, int d, float4 x) {
  to[0] = x.x;
  if (d + 1 < DH) to[stride] = x.y;
  if (d + 2 < DH) to[2 * stride] = x.z;
  if (d + 3 < DH) to[3 * stride] = x.w;
}

// A group's queries t0 ..< t0 + BQ of one head of one pass; q, k, v, z point at the pass's token 0 and the head.
//
// qs [DH, BQ], block [DH, KEY_STRIDE] or [KEYS, D4 * 4], ps [KEYS, BQ], shared [TX, BQ]: local memory
static inline void attend(__global const float *q, int qStride, __global const int *tokens, int t0, int queries,
                   __global const float *k, __global const float *v, int kvStride, int T, float scale,
                   __global float *z, int zStride, __local float *qs, __local float *block, __local float *ps,
                   __local float *shared SCORE_BIAS_ARGUMENT) {
  int item = get_local_id(0), tx = item % TX, row = item / TX * 4;
  scale *= 1.44269504088896341f;  // scores in powers of two

  // Queries past the last repeat it; they are computed and not stored.
  // Neighbouring work-items take neighbouring queries (keys): they store to neighbouring banks.
  bool aligned = ((size_t)q | (size_t)k | (size_t)v) % 16 == 0 && (qStride | kvStride) % 4 == 0;
  for (int at = item; at < BQ * D4; at += ITEMS) {
    float4 x = load_row(q + (size_t)token(tokens, min(t0 + at % BQ, queries - 1)) * qStride, at / BQ * 4, aligned);
    put_column(qs + at / BQ * 4 * BQ + at % BQ, BQ, at / BQ * 4, x);
  }

  float4 o[4][COLS];
  float highest[4], total[4];
#pragma unroll
  for (int i = 0; i < 4; i++) {
    highest[i] = -INFINITY;
    total[i] = 0.0f;
#pragma unroll
    for (int c = 0; c < COLS; c++) o[i][c] = 0.0f;
  }

  for (int j0 = 0; j0 < T; j0 += KEYS) {
    int keys = min(KEYS, T - j0);
    barrier(CLK_LOCAL_MEM_FENCE);  // nobody reads the last block's values and weights any more
#pragma unroll 4
    for (int at = item; at < KEYS * D4; at += ITEMS) {
      float4 x = load_row(k + (size_t)(j0 + min(at % KEYS, keys - 1)) * kvStride, at / KEYS * 4, aligned);
      put_column(block + at / KEYS * 4 * KEY_STRIDE + at % KEYS, KEY_STRIDE, at / KEYS * 4, x);
    }
    barrier(CLK_LOCAL_MEM_FENCE);

    float4 s[4];
#pragma unroll
    for (int i = 0; i < 4; i++) s[i] = 0.0f;
#pragma unroll 8
    for (int d = 0; d < DH; d++) {
      float4 x = *(__local const float4 *)(qs + d * BQ + row);
      float4 y = *(__local const float4 *)(block + d * KEY_STRIDE + 4 * tx);
      s[0] = fma((float4)(x.x), y, s[0]);
      s[1] = fma((float4)(x.y), y, s[1]);
      s[2] = fma((float4)(x.z), y, s[2]);
      s[3] = fma((float4)(x.w), y, s[3]);
    }
    float tops[4];
    int4 isKey = 4 * tx + (int4)(0, 1, 2, 3) < (int4)(keys);
#pragma unroll
    for (int i = 0; i < 4; i++) {
#if SCORE_BIAS
      __global const float *own = bias + (size_t)token(tokens, min(t0 + row + i, queries - 1)) * T;
      int4 key = min(j0 + 4 * tx + (int4)(0, 1, 2, 3), (int4)(T - 1));
      float4 added = (float4)(own[key.x], own[key.y], own[key.z], own[key.w]) * 1.44269504088896341f;
      s[i] = isKey ? s[i] * scale + added : (float4)(-INFINITY);
#else
      s[i] = isKey ? s[i] * scale : (float4)(-INFINITY);
#endif
      float2 top = s[i].lo > s[i].hi ? s[i].lo : s[i].hi;
      tops[i] = top.x > top.y ? top.x : top.y;
    }
    *(__local float4 *)(shared + tx * SHARED_STRIDE + row) = (float4)(tops[0], tops[1], tops[2], tops[3]);
    barrier(CLK_LOCAL_MEM_FENCE);  // nobody reads the keys any more either

    float shrink[4];
    float4 most = *(__local const float4 *)(shared + row);
#pragma unroll
    for (int u = 1; u < TX; u++) {
      float4 other = *(__local const float4 *)(shared + u * SHARED_STRIDE + row);
      most = other > most ? other : most;
    }
    tops[0] = most.x; tops[1] = most.y; tops[2] = most.z; tops[3] = most.w;
    float4 weights[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      float top = tops[i] > highest[i] ? tops[i] : highest[i];
      // What is too small to be told from nothing beside the largest weight, 1, is 2^-126; NaN stays NaN.
      float change = highest[i] - top;
      shrink[i] = exp2_float(change < -126.0f ? -126.0f : change);
      highest[i] = top;
      float4 p = s[i] - top;
      p = isKey ? exp2_float4(p < -126.0f ? (float4)(-126.0f) : p) : (float4)(0.0f);
      total[i] = total[i] * shrink[i] + ((p.x + p.y) + (p.z + p.w));
      weights[i] = p;
    }
    __local float *mine = ps + 4 * tx * P_STRIDE + row;
    *(__local float4 *)mine = (float4)(weights[0].x, weights[1].x, weights[2].x, weights[3].x);
    *(__local float4 *)(mine + P_STRIDE) = (float4)(weights[0].y, weights[1].y, weights[2].y, weights[3].y);
    *(__local float4 *)(mine + 2 * P_STRIDE) = (float4)(weights[0].z, weights[1].z, weights[2].z, weights[3].z);
    *(__local float4 *)(mine + 3 * P_STRIDE) = (float4)(weights[0].w, weights[1].w, weights[2].w, weights[3].w);
#pragma unroll 4
    for (int at = item; at < keys * D4; at += ITEMS)
      *(__local float4 *)(block + 4 * at) = load_row(v + (size_t)(j0 + at / D4) * kvStride, at % D4 * 4, aligned);
    barrier(CLK_LOCAL_MEM_FENCE);

#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
      for (int c = 0; c < COLS; c++) o[i][c] *= shrink[i];
#pragma unroll 4
    for (int j = 0; j < keys; j++) {
      float4 p = *(__local const float4 *)(ps + j * P_STRIDE + row);
#pragma unroll
      for (int c = 0; c < COLS; c++) {
        int column = min(c * TX + tx, D4 - 1);  // those past the last repeat it, and are not stored
        float4 y = *(__local const float4 *)(block + (j * D4 + column) * 4);
        o[0][c] = fma((float4)(p.x), y, o[0][c]);
        o[1][c] = fma((float4)(p.y), y, o[1][c]);
        o[2][c] = fma((float4)(p.z), y, o[2][c]);
        o[3][c] = fma((float4)(p.w), y, o[3][c]);
      }
    }
  }

#pragma unroll
  for (int i = 0; i < 4; i++) shared[tx * SHARED_STRIDE + row + i] = total[i];
  barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
  for (int i = 0; i < 4; i++) {
    if (t0 + row + i >= queries) continue;
    float sum = 0.0f;
    for (int u = 0; u < TX; u++) sum += shared[u * SHARED_STRIDE + row + i];
    __global float *to = z + (size_t)token(tokens, t0 + row + i) * zStride;
#pragma unroll
    for (int c = 0; c < COLS; c++) {
      int d = (c * TX + tx) * 4;
      float4 y = o[i][c] / sum;
      if (d + 4 <= DH) {
        store_global(y, to + d);
      } else {
        if (d < DH) to[d] = y.x;
        if (d + 1 < DH) to[d + 1] = y.y;
        if (d + 2 < DH) to[d + 2] = y.z;
      }
    }
  }
}

#define LOCAL_MEMORY                                            \
  __local float qs[DH * BQ] __attribute__((aligned(16)));       \
  __local float block[KV_SIZE] __attribute__((aligned(16)));    \
  __local float ps[KEYS * P_STRIDE] __attribute__((aligned(16)));     \
  __local float shared[TX * SHARED_STRIDE] __attribute__((aligned(16)));

__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void attention_online_group(
    __global const float *q, int qOffset, int qStride, int queries, __global const float *kv, int kOffset, int vOffset,
    int kvStride, int T, float scale, __global float *z, int zOffset, int zStride SCORE_BIAS_ARGUMENT) {
  LOCAL_MEMORY
  int h = get_global_id(1);
  size_t i = get_global_id(2);
  attend(q + qOffset + i * queries * qStride + h * DH, qStride, 0, get_group_id(0) * BQ, queries,
         kv + kOffset + i * T * kvStride + h * DH, kv + vOffset + i * T * kvStride + h * DH, kvStride, T, scale,
         z + zOffset + i * queries * zStride + h * DH, zStride, qs, block, ps, shared SCORE_BIAS_OF(h));
}

__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void attention_pattern_group(
    __global const float *q, int qOffset, int qStride, int queries, __global const float *kv, int kOffset, int vOffset,
    int kvStride, int T, float scale, __global float *z, int zStride, __global const int *lists,
    int first SCORE_BIAS_ARGUMENT) {
  LOCAL_MEMORY
  PatternEntry entry = ((__global const PatternEntry *)(lists + first))[get_global_id(1)];
  int t0 = get_group_id(0) * BQ;
  if (t0 >= entry.tokenCount) T = 0;  // nothing to do; all work-items must meet the same barriers
  size_t from = entry.from, to = entry.to;
  int h = entry.head;
  attend(q + qOffset + from * queries * qStride + h * DH, qStride, lists + entry.tokens, t0, entry.tokenCount,
         kv + kOffset + from * T * kvStride + h * DH, kv + vOffset + to * T * kvStride + h * DH, kvStride, T, scale,
         z + to * queries * zStride + h * DH, zStride, qs, block, ps, shared SCORE_BIAS_OF(h));
}
