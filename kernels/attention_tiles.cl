// Register tiles of attention_group.cl and attention_backward_group.cl: what a work-group does with rows of one head in
// local memory.
//
// A group owns BQ rows (queries, say) and meets OTHERS rows of the other side (keys) at a time. A work-item (ty, tx),
// TX of tx, has
//   - of a product of both, [BQ, OTHERS], own rows `row` ..< row + 4 (row = 4 ty) by others 4 tx ..< 4 tx + 4;
//   - of a result, [BQ, DH], the same own rows by every TX-th float4 of the columns, from the tx-th on.
// What comes of the product goes from one to the other through local memory.
//
// Local memory:
//   own    [DH, BQ], a row's values in a column
//   block  [DH, OTHERS] likewise, or [OTHERS, D4 * 4] as they are
//   ps     [OTHERS, P_STRIDE]
//   shared [TX, P_STRIDE], one value per own row and work-item
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
#define LOCAL_ARRAY(name, count) __local float name[count] __attribute__((aligned(16)));

DEFINE_EXP2(float, as_float, as_int)
DEFINE_EXP2(float4, as_float4, as_int4)

// 2^x for x <= 0. What is too small to be told from nothing beside the largest weight, 1, is 2^-126; NaN stays NaN.
static inline float weight(float x) { return exp2_float(x < -126.0f ? -126.0f : x); }
static inline float4 weights(float4 x) { return exp2_float4(x < -126.0f ? (float4)(-126.0f) : x); }

// Columns d ..< d + 4 of a row of DH; those past the last are 0.
static inline float4 load_row(__global const float *p, int d, bool aligned) {
  if (aligned && d + 4 <= DH) return *(__global const float4 *)(p + d);
  return (float4)(p[d], d + 1 < DH ? p[d + 1] : 0.0f, d + 2 < DH ? p[d + 2] : 0.0f, d + 3 < DH ? p[d + 3] : 0.0f);
}

static inline bool is_aligned(__global const float *p, int stride) { return (size_t)p % 16 == 0 && stride % 4 == 0; }

// `size` rows from the first-th of `count` on, transposed: to [DH, size]; rows past the last repeat it. Neighbouring
// work-items take neighbouring rows: they store to neighbouring banks.
//
// tokens  which rows these are, or 0
static inline void load_columns(__global const float *rows, int stride, __global const int *tokens, int first,
                                int count, int size, __local float *to) {
  bool aligned = is_aligned(rows, stride);
  for (int at = get_local_id(0); at < size * D4; at += ITEMS) {
    int d = at / size * 4;
    float4 x = load_row(rows + (size_t)token(tokens, min(first + at % size, count - 1)) * stride, d, aligned);
    __local float *column = to + d * size + at % size;
    column[0] = x.x;
    if (d + 1 < DH) column[size] = x.y;
    if (d + 2 < DH) column[2 * size] = x.z;
    if (d + 3 < DH) column[3 * size] = x.w;
  }
}

// `count` rows from the first-th on as they are, to [OTHERS, D4 * 4]
static inline void load_rows(__global const float *rows, int stride, int first, int count, __local float *to) {
  bool aligned = is_aligned(rows, stride);
#pragma unroll 4
  for (int at = get_local_id(0); at < count * D4; at += ITEMS)
    *(__local float4 *)(to + 4 * at) = load_row(rows + (size_t)(first + at / D4) * stride, at % D4 * 4, aligned);
}

// s[i] = own row `row` + i times others 4 tx ..< 4 tx + 4;   own [DH, BQ], block [DH, OTHERS]
static inline void multiply(__local const float *own, __local const float *block, int row, int tx, float4 s[4]) {
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

static inline float largest_lane(float4 x) {
  float2 top = x.lo > x.hi ? x.lo : x.hi;
  return top.x > top.y ? top.x : top.y;
}

// A value of each own row from every work-item; after a barrier all of them may ask for the largest or the sum.
static inline void put_shared(const float x[4], int row, int tx, __local float *shared) {
  *(__local float4 *)(shared + tx * P_STRIDE + row) = (float4)(x[0], x[1], x[2], x[3]);
}
static inline void largest_shared(__local const float *shared, int row, float x[4]) {
  float4 most = *(__local const float4 *)(shared + row);
#pragma unroll
  for (int u = 1; u < TX; u++) {
    float4 other = *(__local const float4 *)(shared + u * P_STRIDE + row);
    most = other > most ? other : most;
  }
  x[0] = most.x;
  x[1] = most.y;
  x[2] = most.z;
  x[3] = most.w;
}
static inline void sum_shared(__local const float *shared, int row, float x[4]) {
  float4 sum = 0.0f;
#pragma unroll
  for (int u = 0; u < TX; u++) sum += *(__local const float4 *)(shared + u * P_STRIDE + row);
  x[0] = sum.x;
  x[1] = sum.y;
  x[2] = sum.z;
  x[3] = sum.w;
}

// A work-item's part of a product to ps
static inline void put_weights(const float4 s[4], int row, int tx, __local float *ps) {
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
static inline void store_row(const float4 o[COLS], int tx, __global float *to) {
#pragma unroll
  for (int c = 0; c < COLS; c++) {
    int d = (c * TX + tx) * 4;
    if (d + 4 <= DH) {
      store_global(o[c], to + d);
    } else {
      if (d < DH) to[d] = o[c].x;
      if (d + 1 < DH) to[d + 1] = o[c].y;
      if (d + 2 < DH) to[d + 2] = o[c].z;
    }
  }
}
