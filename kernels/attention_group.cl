// The kernels of attention.cl for GPUs: work-groups share keys and values through local memory.
//
// Arguments and results as there; online softmax (Milakov and Gimelshein 2018; Dao et al. 2022) as there too. A group
// holds BQ queries of a head and meets OTHERS keys at a time; both products are register tiles (attention_tiles.cl, in
// front of this file).
//
//           OTHERS                               DH
//          +------+                            +----+
//       DH | keys |                     OTHERS | v  |         the same local memory, one after the other
//   BQ +---+------+                   BQ +-----+----+
//      | q | s    |   p = 2^(s - max)    |  p  | z  |
//
// A query's largest score is looked up over its TX work-items in every block, their sums once at the end.
//
// ND-range: (ceil(queries / BQ) * ITEMS, H, n), local (ITEMS, 1, 1); attention_pattern_group: (ceil(most tokens / BQ) *
// ITEMS, entries), local (ITEMS, 1)

// A group's queries t0 ..< t0 + BQ of one head of one pass; q, k, v, z point at the pass's token 0 and the head.
static inline void attend(__global const float *q, int qStride, __global const int *tokens, int t0, int queries,
                          __global const float *k, __global const float *v, int kvStride, int T, float scale,
                          __global float *z, int zStride, __local float *qs, __local float *block, __local float *ps,
                          __local float *shared SCORE_BIAS_ARGUMENT) {
  int item = get_local_id(0), tx = item % TX, row = item / TX * 4;
  scale *= 1.44269504088896341f;  // scores in powers of two

  // Queries past the last repeat it; they are computed and not stored.
  load_columns(q, qStride, tokens, t0, queries, BQ, qs);

  float4 o[4][COLS];
  float highest[4], total[4];
#pragma unroll
  for (int i = 0; i < 4; i++) {
    highest[i] = -INFINITY;
    total[i] = 0.0f;
#pragma unroll
    for (int c = 0; c < COLS; c++) o[i][c] = 0.0f;
  }

  for (int j0 = 0; j0 < T; j0 += OTHERS) {
    int keys = min(OTHERS, T - j0);
    barrier(CLK_LOCAL_MEM_FENCE);  // nobody reads the last block's values and weights any more
    load_columns(k, kvStride, 0, j0, T, OTHERS, block);
    barrier(CLK_LOCAL_MEM_FENCE);

    float4 s[4];
    float tops[4];
    int4 isKey = 4 * tx + (int4)(0, 1, 2, 3) < (int4)(keys);
    multiply(qs, block, row, tx, s);
#pragma unroll
    for (int i = 0; i < 4; i++) {
      s[i] *= scale;
#if SCORE_BIAS
      __global const float *own = bias + (size_t)token(tokens, min(t0 + row + i, queries - 1)) * T;
      int4 key = min(j0 + 4 * tx + (int4)(0, 1, 2, 3), (int4)(T - 1));
      s[i] += (float4)(own[key.x], own[key.y], own[key.z], own[key.w]) * 1.44269504088896341f;
#endif
      s[i] = isKey ? s[i] : (float4)(-INFINITY);
      tops[i] = largest_lane(s[i]);
    }
    put_shared(tops, row, tx, shared);
    barrier(CLK_LOCAL_MEM_FENCE);  // nobody reads the keys any more either

    float shrink[4];
    largest_shared(shared, row, tops);
#pragma unroll
    for (int i = 0; i < 4; i++) {
      float top = tops[i] > highest[i] ? tops[i] : highest[i];
      shrink[i] = weight(highest[i] - top);
      highest[i] = top;
      s[i] = isKey ? weights(s[i] - top) : (float4)(0.0f);
      total[i] = total[i] * shrink[i] + ((s[i].x + s[i].y) + (s[i].z + s[i].w));
    }
    put_weights(s, row, tx, ps);
    load_rows(v, kvStride, j0, keys, block);
    barrier(CLK_LOCAL_MEM_FENCE);

#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
      for (int c = 0; c < COLS; c++) o[i][c] *= shrink[i];
    add_weighted(ps, block, keys, row, tx, o);
  }

  put_shared(total, row, tx, shared);
  barrier(CLK_LOCAL_MEM_FENCE);
  sum_shared(shared, row, total);
#pragma unroll
  for (int i = 0; i < 4; i++) {
    if (t0 + row + i >= queries) continue;
#pragma unroll
    for (int c = 0; c < COLS; c++) o[i][c] /= total[i];
    store_row(o[i], tx, z + (size_t)token(tokens, t0 + row + i) * zStride);
  }
}

#define LOCAL_MEMORY                  \
  LOCAL_ARRAY(qs, DH * BQ)            \
  LOCAL_ARRAY(block, OTHERS * D4 * 4) \
  LOCAL_ARRAY(ps, OTHERS * P_STRIDE)  \
  LOCAL_ARRAY(shared, TX * P_STRIDE)

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
