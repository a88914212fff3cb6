// The kernels of attention_backward.cl for GPUs: work-groups share rows through local memory.
//
// Formulas, arguments and results as there. A group owns BQ rows of a head: queries with their gradients at z, or keys
// with their values. It meets OTHERS rows of the other side at a time. All products are register tiles, as in
// attention_group.cl: work-item (ty, tx), TX of tx, has own rows 4 ty ..< 4 ty + 4 by others 4 tx ..< 4 tx + 4 of the
// scores and of g . v, and own rows by every TX-th float4 of a result's columns from the tx-th on. Weights go from one
// to the other through local memory.
//
// ND-range of both: (ceil(T / BQ) * ITEMS, H, n), local (ITEMS, 1, 1)
//
// DH  width of a head (no default)
// BQ  own rows of a group, a multiple of 4

#ifndef BQ
#define BQ 16
#endif
#define TX 8
#define ITEMS (BQ / 4 * TX)
#define OTHERS (4 * TX)
#define P_STRIDE (BQ + 4)  // other banks for the neighbouring rows of a work-item's row
#define D4 ((DH + 3) / 4)
#define COLS ((D4 + TX - 1) / TX)

DEFINE_EXP2(float, as_float, as_int)
DEFINE_EXP2(float4, as_float4, as_int4)

// 2^x for x <= 0, as attention_group.cl has it
static inline float4 weights(float4 x) { return exp2_float4(x < -126.0f ? (float4)(-126.0f) : x); }

// Columns d ..< d + 4 of a row of DH; those past the last are 0.
static inline float4 load_row(__global const float *p, int d, bool aligned) {
  if (aligned && d + 4 <= DH) return *(__global const float4 *)(p + d);
  return (float4)(p[d], d + 1 < DH ? p[d + 1] : 0.0f, d + 2 < DH ? p[d + 2] : 0.0f, d + 3 < DH ? p[d + 3] : 0.0f);
}

static inline bool is_aligned(__global const float *p, int stride) { return (size_t)p % 16 == 0 && stride % 4 == 0; }

// `size` rows from the first-th of `count` on, transposed: to [DH, size]; rows past the last repeat it.
static inline void load_columns(__global const float *rows, int stride, int first, int count, int size,
                                __local float *to) {
  bool aligned = is_aligned(rows, stride);
  for (int at = get_local_id(0); at < size * D4; at += ITEMS) {
    int d = at / size * 4;
    float4 x = load_row(rows + (size_t)min(first + at % size, count - 1) * stride, d, aligned);
    __local float *column = to + d * size + at % size;
    column[0] = x.x;
    if (d + 1 < DH) column[size] = x.y;
    if (d + 2 < DH) column[2 * size] = x.z;
    if (d + 3 < DH) column[3 * size] = x.w;
  }
}

// OTHERS rows as they are, to [OTHERS, D4 * 4]; rows past the last repeat it.
static inline void load_rows(__global const float *rows, int stride, int first, int count, __local float *to) {
  bool aligned = is_aligned(rows, stride);
  for (int at = get_local_id(0); at < OTHERS * D4; at += ITEMS)
    *(__local float4 *)(to + 4 * at) =
        load_row(rows + (size_t)min(first + at / D4, count - 1) * stride, at % D4 * 4, aligned);
}

// s[i] = own row `row` + i times others 4 tx ..< 4 tx + 4;   own [DH, BQ], block [DH, OTHERS]
static inline void tile(__local const float *own, __local const float *block, int row, int tx, float4 *s) {
#pragma unroll
  for (int i = 0; i < 4; i++) s[i] = 0.0f;
#pragma unroll 8
  for (int d = 0; d < DH; d++) {
    float4 x = *(__local const float4 *)(own + d * BQ + row);
    float4 y = *(__local const float4 *)(block + d * OTHERS + 4 * tx);
    s[0] = fma((float4)(x.x), y, s[0]);
    s[1] = fma((float4)(x.y), y, s[1]);
    s[2] = fma((float4)(x.z), y, s[2]);
    s[3] = fma((float4)(x.w), y, s[3]);
  }
}

// The weights of a work-item's tile to ps [OTHERS, P_STRIDE].
static inline void put_weights(const float4 *s, int row, int tx, __local float *ps) {
  __local float *mine = ps + 4 * tx * P_STRIDE + row;
  *(__local float4 *)mine = (float4)(s[0].x, s[1].x, s[2].x, s[3].x);
  *(__local float4 *)(mine + P_STRIDE) = (float4)(s[0].y, s[1].y, s[2].y, s[3].y);
  *(__local float4 *)(mine + 2 * P_STRIDE) = (float4)(s[0].z, s[1].z, s[2].z, s[3].z);
  *(__local float4 *)(mine + 3 * P_STRIDE) = (float4)(s[0].w, s[1].w, s[2].w, s[3].w);
}

// o += ps^T block, over `count` others;   block [OTHERS, D4 * 4]
static inline void add_weighted(__local const float *ps, __local const float *block, int count, int row, int tx,
                                float4 o[4][COLS]) {
#pragma unroll 4
  for (int j = 0; j < count; j++) {
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

// The columns of one row that are the work-item's
static inline void store_row(const float4 *o, float factor, int tx, __global float *to) {
#pragma unroll
  for (int c = 0; c < COLS; c++) {
    int d = (c * TX + tx) * 4;
    float4 y = o[c] * factor;
    if (d + 4 <= DH) {
      store_global(y, to + d);
    } else {
      if (d < DH) to[d] = y.x;
      if (d + 1 < DH) to[d + 1] = y.y;
      if (d + 2 < DH) to[d + 2] = y.z;
    }
  }
}

__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void attention_backward_queries_group(BACKWARD_ARGUMENTS) {
  __local float qs[DH * BQ] __attribute__((aligned(16)));
  __local float gs[DH * BQ] __attribute__((aligned(16)));
  __local float block[OTHERS * D4 * 4] __attribute__((aligned(16)));
  __local float ps[OTHERS * P_STRIDE] __attribute__((aligned(16)));
  __local float shared[TX * P_STRIDE] __attribute__((aligned(16)));
  int item = get_local_id(0), tx = item % TX, row = item / TX * 4;
  int t0 = get_group_id(0) * BQ, h = get_global_id(1);
  AT_ROW_AND_HEAD
  int keysAll = t0 < queries ? T : 0;  // nothing to do for others; all work-items must meet the same barriers
  load_columns(q, qToken, t0, queries, BQ, qs);
  load_columns(g, width, t0, queries, BQ, gs);
  barrier(CLK_LOCAL_MEM_FENCE);

  float own[4];  // g . z
#pragma unroll
  for (int r = 0; r < 4; r++) {
    __global const float *of = z + (size_t)min(t0 + row + r, queries - 1) * zToken;
    float sum = 0.0f;
    for (int d = tx; d < DH; d += TX) sum = fma(gs[d * BQ + row + r], of[d], sum);
    shared[tx * P_STRIDE + row + r] = sum;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
  for (int r = 0; r < 4; r++) {
    own[r] = 0.0f;
    for (int u = 0; u < TX; u++) own[r] += shared[u * P_STRIDE + row + r];
  }

  float4 o[4][COLS];
  float highest[4], total[4];
#pragma unroll
  for (int r = 0; r < 4; r++) {
    highest[r] = -INFINITY;
    total[r] = 0.0f;
#pragma unroll
    for (int c = 0; c < COLS; c++) o[r][c] = 0.0f;
  }
  for (int j0 = 0; j0 < keysAll; j0 += OTHERS) {
    int keys = min(OTHERS, T - j0);
    int4 isKey = 4 * tx + (int4)(0, 1, 2, 3) < (int4)(keys);
    float4 s[4], slope[4];
    barrier(CLK_LOCAL_MEM_FENCE);  // nobody reads the last block's keys and weights any more
    load_columns(k, kvToken, j0, T, OTHERS, block);
    barrier(CLK_LOCAL_MEM_FENCE);
    tile(qs, block, row, tx, s);
#pragma unroll
    for (int r = 0; r < 4; r++) {
      s[r] *= scale * LOG2E;
#if SCORE_BIAS
      __global const float *of = bias + (size_t)min(t0 + row + r, queries - 1) * T;
      int4 key = min(j0 + 4 * tx + (int4)(0, 1, 2, 3), (int4)(T - 1));
      s[r] += (float4)(of[key.x], of[key.y], of[key.z], of[key.w]) * LOG2E;
#endif
      s[r] = isKey ? s[r] : (float4)(-INFINITY);
      float2 top = s[r].lo > s[r].hi ? s[r].lo : s[r].hi;
      shared[tx * P_STRIDE + row + r] = top.x > top.y ? top.x : top.y;
    }
    barrier(CLK_LOCAL_MEM_FENCE);  // nobody reads the keys any more either
    load_columns(v, kvToken, j0, T, OTHERS, block);
#pragma unroll
    for (int r = 0; r < 4; r++) {
      float top = highest[r];
      for (int u = 0; u < TX; u++) {
        float other = shared[u * P_STRIDE + row + r];
        top = other > top ? other : top;
      }
      float change = highest[r] - top;
      float shrink = exp2_float(change < -126.0f ? -126.0f : change);
      highest[r] = top;
      s[r] = isKey ? weights(s[r] - top) : (float4)(0.0f);
      total[r] = total[r] * shrink + ((s[r].x + s[r].y) + (s[r].z + s[r].w));
#pragma unroll
      for (int c = 0; c < COLS; c++) o[r][c] *= shrink;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    tile(gs, block, row, tx, slope);
#pragma unroll
    for (int r = 0; r < 4; r++) s[r] *= slope[r] - own[r];
    put_weights(s, row, tx, ps);
    barrier(CLK_LOCAL_MEM_FENCE);  // nobody reads the values any more
    load_rows(k, kvToken, j0, T, block);
    barrier(CLK_LOCAL_MEM_FENCE);
    add_weighted(ps, block, keys, row, tx, o);
  }

  barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
  for (int r = 0; r < 4; r++) shared[tx * P_STRIDE + row + r] = total[r];
  barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
  for (int r = 0; r < 4; r++) {
    int t = t0 + row + r;
    if (t >= T) continue;
    float sum = 0.0f;
    for (int u = 0; u < TX; u++) sum += shared[u * P_STRIDE + row + r];
    float inverse = t < queries ? 1.0f / sum : 0.0f;
#pragma unroll
    for (int c = 0; c < COLS; c++)
      if (t >= queries) o[r][c] = 0.0f;
    store_row(o[r], inverse * scale, tx, out + (size_t)t * 3 * width);
    if (t < queries && tx == 0) store_global((float4)(highest[r], inverse, own[r], 0.0f), statistics + (size_t)t * 4);
  }
}

__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void attention_backward_keys_group(BACKWARD_ARGUMENTS) {
  __local float ks[DH * BQ] __attribute__((aligned(16)));
  __local float vs[DH * BQ] __attribute__((aligned(16)));
  __local float block[OTHERS * D4 * 4] __attribute__((aligned(16)));
  __local float ps[OTHERS * P_STRIDE] __attribute__((aligned(16)));
  __local float slopes[OTHERS * P_STRIDE] __attribute__((aligned(16)));
  int item = get_local_id(0), tx = item % TX, row = item / TX * 4;
  int t0 = get_group_id(0) * BQ, h = get_global_id(1);
  AT_ROW_AND_HEAD
  load_columns(k, kvToken, t0, T, BQ, ks);
  load_columns(v, kvToken, t0, T, BQ, vs);
  float4 dk[4][COLS], dv[4][COLS];
#pragma unroll
  for (int r = 0; r < 4; r++)
#pragma unroll
    for (int c = 0; c < COLS; c++) dk[r][c] = dv[r][c] = 0.0f;

  for (int i0 = 0; i0 < queries; i0 += OTHERS) {
    int count = min(OTHERS, queries - i0);
    float4 s[4], slope[4];
    // Largest score, 1 / sum and g . z of the work-item's four queries
    float kept[3][4];
#pragma unroll
    for (int u = 0; u < 4; u++) {
      float4 of = load_global(statistics + (size_t)min(i0 + 4 * tx + u, queries - 1) * 4);
      kept[0][u] = of.x;
      kept[1][u] = of.y;
      kept[2][u] = of.z;
    }
    float4 top = (float4)(kept[0][0], kept[0][1], kept[0][2], kept[0][3]);
    float4 inverse = (float4)(kept[1][0], kept[1][1], kept[1][2], kept[1][3]);
    float4 own = (float4)(kept[2][0], kept[2][1], kept[2][2], kept[2][3]);
    barrier(CLK_LOCAL_MEM_FENCE);  // nobody reads the last block's queries and weights any more
    load_columns(q, qToken, i0, queries, OTHERS, block);
    barrier(CLK_LOCAL_MEM_FENCE);
    tile(ks, block, row, tx, s);
    barrier(CLK_LOCAL_MEM_FENCE);
    load_columns(g, width, i0, queries, OTHERS, block);
    barrier(CLK_LOCAL_MEM_FENCE);
    tile(vs, block, row, tx, slope);
#pragma unroll
    for (int r = 0; r < 4; r++) {
      s[r] *= scale * LOG2E;
#if SCORE_BIAS
      __global const float *of = bias + min(t0 + row + r, T - 1);
      int4 query = min(i0 + 4 * tx + (int4)(0, 1, 2, 3), (int4)(queries - 1));
      s[r] += (float4)(of[(size_t)query.x * T], of[(size_t)query.y * T], of[(size_t)query.z * T],
                       of[(size_t)query.w * T]) * LOG2E;
#endif
      s[r] = weights(s[r] - top) * inverse;
      slope[r] = s[r] * (slope[r] - own);
    }
    put_weights(s, row, tx, ps);
    put_weights(slope, row, tx, slopes);
    barrier(CLK_LOCAL_MEM_FENCE);
    load_rows(g, width, i0, queries, block);
    barrier(CLK_LOCAL_MEM_FENCE);
    add_weighted(ps, block, count, row, tx, dv);
    barrier(CLK_LOCAL_MEM_FENCE);
    load_rows(q, qToken, i0, queries, block);
    barrier(CLK_LOCAL_MEM_FENCE);
    add_weighted(slopes, block, count, row, tx, dk);
  }
#pragma unroll
  for (int r = 0; r < 4; r++) {
    int t = t0 + row + r;
    if (t >= T) continue;
    store_row(dk[r], scale, tx, out + (size_t)t * 3 * width + width);
    store_row(dv[r], 1.0f, tx, out + (size_t)t * 3 * width + 2 * width);
  }
}
