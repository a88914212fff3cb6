// Vectors of rows, prepended to the files that need them: attention on CPUs holds QL rows of one head (the queries, in
// a backward pass also the keys) in the lanes of its vectors, so that the rows on the other side are scalars and no sum
// runs across lanes.
//
// DH  width of a head (no default)
// QL  rows in a vector: the CPU's vector width
// KU  rows of the other side, or columns, per step: as many independent chains of fma

#ifndef QL
#define QL 8
#endif
#ifndef KU
#define KU 8
#endif

#if QL == 1
typedef float floatq;
#define LOADQ(p) (*(p))
#define STOREQ(x, p) (*(p) = (x))
#else
typedef CAT(float, QL) floatq;
#define LOADQ(p) CAT(vload, QL)(0, (p))
#define STOREQ(x, p) CAT(vstore, QL)((x), 0, (p))
#endif

#if QL == 1
DEFINE_EXP2(floatq, as_float, as_int)
#else
DEFINE_EXP2(floatq, CAT(as_float, QL), CAT(as_int, QL))
#endif

// 2^x for x <= 0, at least 2^-126, which is negligible beside the largest weight, 1
static inline floatq weight(floatq x) { return exp2_floatq(x < -126.0f ? (floatq)(-126.0f) : x); }

#if QL > 1
// a0 b0 a1 b1 ... of the lower halves of two vectors, and of their upper halves
#if QL == 16
#define ZIP_LO(a, b) \
  (floatq)(a.s0, b.s0, a.s1, b.s1, a.s2, b.s2, a.s3, b.s3, a.s4, b.s4, a.s5, b.s5, a.s6, b.s6, a.s7, b.s7)
#define ZIP_HI(a, b) \
  (floatq)(a.s8, b.s8, a.s9, b.s9, a.sa, b.sa, a.sb, b.sb, a.sc, b.sc, a.sd, b.sd, a.se, b.se, a.sf, b.sf)
#elif QL == 8
#define ZIP_LO(a, b) (floatq)(a.s0, b.s0, a.s1, b.s1, a.s2, b.s2, a.s3, b.s3)
#define ZIP_HI(a, b) (floatq)(a.s4, b.s4, a.s5, b.s5, a.s6, b.s6, a.s7, b.s7)
#elif QL == 4
#define ZIP_LO(a, b) (floatq)(a.s0, b.s0, a.s1, b.s1)
#define ZIP_HI(a, b) (floatq)(a.s2, b.s2, a.s3, b.s3)
#endif

// Transposes QL vectors in registers: log2 QL perfect shuffles of the rows.
static inline void transpose(floatq *rows) {
#pragma unroll
  for (int n = 1; n < QL; n *= 2) {
    floatq zipped[QL];
#pragma unroll
    for (int i = 0; i < QL / 2; i++) {
      zipped[2 * i] = ZIP_LO(rows[i], rows[i + QL / 2]);
      zipped[2 * i + 1] = ZIP_HI(rows[i], rows[i + QL / 2]);
    }
#pragma unroll
    for (int i = 0; i < QL; i++) rows[i] = zipped[i];
  }
}
#endif

#if SCORE_BIAS
// The bias of one key's scores for a vector of queries, times log2(e);   bias [queries, T] of a head
static inline floatq row_bias(__global const float *bias, __global const int *tokens, int t0, int queries, int T,
                              int key) {
  float lanes[QL];
  for (int lane = 0; lane < QL; lane++)
    lanes[lane] = bias[(size_t)token(tokens, min(t0 + lane, queries - 1)) * T + key];
  return LOADQ(lanes) * 1.44269504088896341f;
}

// The bias of one query's scores for a vector of keys
static inline floatq key_bias(__global const float *bias, int query, int t0, int T) {
  float lanes[QL];
  for (int lane = 0; lane < QL; lane++)
    lanes[lane] = bias[(size_t)query * T + min(t0 + lane, T - 1)];
  return LOADQ(lanes) * 1.44269504088896341f;
}
#endif

// Loads QL rows, from the t0-th of `count` on, transposed to [DH, QL]; lanes past the last row repeat it.
//
// tokens  row numbers, or 0 for all rows in order
static inline void load_lanes(__global const float *rows, int stride, __global const int *tokens, int t0, int count,
                              float *to) {
#if QL > 1 && DH >= QL
  for (int d = 0; d < DH; d += QL) {
    int at = min(d, DH - QL);  // the last vectors may overlap the ones before
    floatq own[QL];
#pragma unroll
    for (int lane = 0; lane < QL; lane++)
      own[lane] = LOADQ(rows + (size_t)token(tokens, min(t0 + lane, count - 1)) * stride + at);
    transpose(own);
#pragma unroll
    for (int i = 0; i < QL; i++) STOREQ(own[i], to + (at + i) * QL);
  }
#else
  for (int lane = 0; lane < QL; lane++) {
    __global const float *row = rows + (size_t)token(tokens, min(t0 + lane, count - 1)) * stride;
    for (int d = 0; d < DH; d++) to[d * QL + lane] = row[d];
  }
#endif
}

// The inverse of load_lanes, for rows below `count` only.
static inline void store_lanes(const floatq *from, __global float *rows, int stride, __global const int *tokens, int t0,
                               int count) {
#if QL > 1 && DH >= QL
  for (int d = 0; d < DH; d += QL) {
    int at = min(d, DH - QL);
    floatq own[QL];
#pragma unroll
    for (int i = 0; i < QL; i++) own[i] = from[at + i];
    transpose(own);
#pragma unroll
    for (int lane = 0; lane < QL; lane++)
      if (t0 + lane < count) STOREQ(own[lane], rows + (size_t)token(tokens, t0 + lane) * stride + at);
  }
#else
  float values[DH * QL];
  for (int d = 0; d < DH; d++) STOREQ(from[d], values + d * QL);
  for (int lane = 0; lane < QL && t0 + lane < count; lane++) {
    __global float *row = rows + (size_t)token(tokens, t0 + lane) * stride;
    for (int d = 0; d < DH; d++) row[d] = values[d * QL + lane];
  }
#endif
}

// Dot products of the lanes' rows [DH, QL] with KU rows of the other side, from `first` of `count` on; rows past the
// last repeat it.
static inline void products(const float *own, __global const float *rows, int stride, int first, int count,
                            floatq *sums) {
  __global const float *row[KU];
  floatq sum[KU];
#pragma unroll
  for (int u = 0; u < KU; u++) {
    row[u] = rows + (size_t)min(first + u, count - 1) * stride;
    sum[u] = 0.0f;
  }
  for (int d = 0; d < DH; d++) {
    floatq x = LOADQ(own + d * QL);
#pragma unroll
    for (int u = 0; u < KU; u++) sum[u] = fma(x, (floatq)(row[u][d]), sum[u]);
  }
#pragma unroll
  for (int u = 0; u < KU; u++) sums[u] = sum[u];
}

// o [DH] = o * shrink + the sum of `count` rows of the other side, each times its weight in every lane
static inline void add_weighted(const floatq *weights, __global const float *rows, int stride, int count,
                                floatq shrink, floatq *o) {
  int d = 0;
  for (; d + KU <= DH; d += KU) {
    floatq sum[KU];
#pragma unroll
    for (int u = 0; u < KU; u++) sum[u] = o[d + u] * shrink;
    for (int j = 0; j < count; j++) {
      __global const float *row = rows + (size_t)j * stride + d;
#pragma unroll
      for (int u = 0; u < KU; u++) sum[u] = fma(weights[j], (floatq)(row[u]), sum[u]);
    }
#pragma unroll
    for (int u = 0; u < KU; u++) o[d + u] = sum[u];
  }
  for (; d < DH; d++) {
    floatq sum = o[d] * shrink;
    for (int j = 0; j < count; j++) sum = fma(weights[j], (floatq)(rows[(size_t)j * stride + d]), sum);
    o[d] = sum;
  }
}
