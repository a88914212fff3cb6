// out[m, n] = act(sum_k a[m, k] * weight[n, k] + bias[n])        for GPUs
//
// or, for rows where residual_row (epilogue.cl, prepended) returns a row of x: x += the same, out unchanged.
//
// weight is stored K-major, padded with zeros:  weight [N, K]  ->  w [paddedK, paddedN]
//
// A work-group computes BM x BN of the result, a work-item TM x TN of that in registers. Both inputs go through local
// memory in pieces of BK, double-buffered: while one piece is multiplied, the next is loaded from global memory.
//
//            BN                       a work-item's rows and columns come in fours, TX (TY) fours apart, so that the
//          +----+                     work-items of a row read neighbouring 16 bytes of local memory
//       BK | bs |
//   BM +---+----+
//      | as| acc|                     as is stored transposed: as [BK, BM]
//      +---+----+
//
// With ASYNC (copy_async.cl, prepended) pieces of w are copied without a way through registers, a warp of 32 has 8
// columns and 4 rows of work-items, and four k of a row of a lie 8 rows further than the four before, so that storing
// them meets different banks. Without, pieces go through registers; that order of a would be slower then (H200).
//
// Every output is one chain of fma over k = 0 ..< K from 0, whatever M and the tile are.
//
// a     rows of aStride floats from aOffset on, [M, K]
// bias  [paddedN]
// out   rows of outStride floats from outOffset on, [M, N]
// ND-range: (ceil(N / BN) * TX, ceil(M / BM) * TY), local (TX, TY)
//
// BM, BN  multiples of 4 TY and 4 TX;  BK  a multiple of 4;  V must be 4;  ACTIVATION  as in epilogue.cl
// With ASYNC: TX and TY multiples of 8

#ifndef BM
#define BM 32
#define BN 32
#define BK 8
#define TM 4
#define TN 4
#endif
#ifndef ACTIVATION
#define ACTIVATION ACT_NONE
#endif
#if ASYNC
#define PAD 0
#define SHIFT(quad) ((quad) % 4 * 8)  // of the rows of a at k = 4 quad ..< 4 quad + 4
#else
// Padding puts neighbouring k into different banks, where local memory has room for it.
#define PAD (8 * BK * (BM + 4 + BN) <= 49152 ? 4 : 0)
#define SHIFT(quad) 0
#endif
#define TX (BN / TN)
#define TY (BM / TM)
#define ITEMS (TX * TY)
#define A_LOADS ((BM * BK / 4 + ITEMS - 1) / ITEMS)
#define B_LOADS ((BN * BK / 4 + ITEMS - 1) / ITEMS)

// Loads piece k0 of a from global memory to registers.
static inline void fetch(float4 *x, __global const float *a, int aStride, bool aligned, int m0, int M, int K, int k0,
                         int lane) {
#pragma unroll
  for (int i = 0; i < A_LOADS; i++) {
    int at = lane + i * ITEMS, k = k0 + at % (BK / 4) * 4;
    if (at >= BM * BK / 4) break;
    // Rows past the last repeat it; they are computed and not stored.
    __global const float *p = a + (size_t)min(m0 + at / (BK / 4), M - 1) * aStride + k;
    if (aligned && k + 4 <= K)
      x[i] = *(__global const float4 *)p;
    else
      x[i] = (float4)(k < K ? p[0] : 0.0f, k + 1 < K ? p[1] : 0.0f, k + 2 < K ? p[2] : 0.0f, k + 3 < K ? p[3] : 0.0f);
  }
}

// Stores it from registers to local memory, transposed.
static inline void put(const float4 *x, __local float (*as)[BM + PAD], int lane) {
#pragma unroll
  for (int i = 0; i < A_LOADS; i++) {
    int at = lane + i * ITEMS, k = at % (BK / 4) * 4, row = at / (BK / 4) ^ SHIFT(at % (BK / 4));
    if (at >= BM * BK / 4) break;
    as[k][row] = x[i].x;
    as[k + 1][row] = x[i].y;
    as[k + 2][row] = x[i].z;
    as[k + 3][row] = x[i].w;
  }
}

// The same for w: loads piece k0 of it to registers, or starts to copy it to local memory
static inline void fetch_weights(float4 *y, __local float (*bs)[BN], __global const float *w, int paddedN, int k0,
                                 int lane) {
#pragma unroll
  for (int i = 0; i < B_LOADS; i++) {
    int at = lane + i * ITEMS;
    if (at >= BN * BK / 4) break;
    __global const float *p = w + (size_t)(k0 + at / (BN / 4)) * paddedN + at % (BN / 4) * 4;
#if ASYNC
    copy_async(&bs[at / (BN / 4)][at % (BN / 4) * 4], p);
#else
    y[i] = *(__global const float4 *)p;
#endif
  }
}

// Stores it from registers, or waits for the copies
static inline void put_weights(const float4 *y, __local float (*bs)[BN], int lane) {
#if ASYNC
  COPY_COMMIT;
  COPY_WAIT(0);
#else
#pragma unroll
  for (int i = 0; i < B_LOADS; i++) {
    int at = lane + i * ITEMS;
    if (at >= BN * BK / 4) break;
    *(__local float4 *)&bs[at / (BN / 4)][at % (BN / 4) * 4] = y[i];
  }
#endif
}

__kernel __attribute__((reqd_work_group_size(TX, TY, 1))) void gemm_tiled(
    __global const float *a, int aOffset, int aStride, __global const float *w, int paddedN, __global const float *bias,
    int M, int N, int K, __global float *out, int outOffset, int outStride,
    __global float *x, int rowStride, __global const int *lists, int first, int tokens) {
  __local float as[2][BK][BM + PAD] __attribute__((aligned(16)));
  __local float bs[2][BK][BN] __attribute__((aligned(16)));
  int tx = get_local_id(0), ty = get_local_id(1), lane = ty * TX + tx;
#if ASYNC
  tx = lane / 32 % (TX / 8) * 8 + lane % 8;
  ty = lane / 32 / (TX / 8) * 4 + lane % 32 / 8;
#endif
  int m0 = get_global_id(1) / TY * BM, n0 = get_group_id(0) * BN;
  a += (size_t)aOffset;
  w += (size_t)n0;
  out += (size_t)outOffset;
  bool aligned = (size_t)a % 16 == 0 && aStride % 4 == 0;  // for loads of 16 bytes

  float4 acc[TM][TN / 4];
#pragma unroll
  for (int i = 0; i < TM; i++)
#pragma unroll
    for (int j = 0; j < TN / 4; j++) acc[i][j] = 0.0f;

  float4 nextA[A_LOADS], nextB[B_LOADS];
  fetch_weights(nextB, bs[0], w, paddedN, 0, lane);
  fetch(nextA, a, aStride, aligned, m0, M, K, 0, lane);
  put(nextA, as[0], lane);
  put_weights(nextB, bs[0], lane);
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int k0 = 0, now = 0; k0 < K; k0 += BK, now ^= 1) {
    bool more = k0 + BK < K;
    // The other buffer is free: its last reads were before the last barrier.
    if (more) {
      fetch(nextA, a, aStride, aligned, m0, M, K, k0 + BK, lane);
      fetch_weights(nextB, bs[now ^ 1], w, paddedN, k0 + BK, lane);
    }
#pragma unroll
    for (int k = 0; k < BK; k++) {
      float4 s[TM / 4], v[TN / 4];
#pragma unroll
      for (int i = 0; i < TM / 4; i++)
        s[i] = *(__local const float4 *)&as[now][k][i * TY * 4 + (ty * 4 ^ SHIFT(k / 4))];
#pragma unroll
      for (int j = 0; j < TN / 4; j++) v[j] = *(__local const float4 *)&bs[now][k][(j * TX + tx) * 4];
#pragma unroll
      for (int i = 0; i < TM / 4; i++)
#pragma unroll
        for (int j = 0; j < TN / 4; j++) {
          acc[4 * i][j] = fma((float4)(s[i].x), v[j], acc[4 * i][j]);
          acc[4 * i + 1][j] = fma((float4)(s[i].y), v[j], acc[4 * i + 1][j]);
          acc[4 * i + 2][j] = fma((float4)(s[i].z), v[j], acc[4 * i + 2][j]);
          acc[4 * i + 3][j] = fma((float4)(s[i].w), v[j], acc[4 * i + 3][j]);
        }
    }
    if (more) {
      put(nextA, as[now ^ 1], lane);
      put_weights(nextB, bs[now ^ 1], lane);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
  }

#pragma unroll
  for (int i = 0; i < TM; i++) {
    int m = m0 + (i / 4 * TY + ty) * 4 + i % 4;
    if (m >= M) continue;
    __global float *residual = residual_row(x, rowStride, lists, first, tokens, m, N);
    __global float *to = residual ? residual : out + (size_t)m * outStride;
#pragma unroll
    for (int j = 0; j < TN / 4; j++) {
      int n = n0 + (j * TX + tx) * 4;
      if (n >= N) continue;
      float4 y = activate_floatv(acc[i][j] + *(__global const float4 *)(bias + n), ACTIVATION);
      if (n + 4 <= N) {
        if (residual) y += load_global(to + n);
        store_global(y, to + n);
      } else {
        to[n] = residual ? y.x + to[n] : y.x;
        if (n + 1 < N) to[n + 1] = residual ? y.y + to[n + 1] : y.y;
        if (n + 2 < N) to[n + 2] = residual ? y.z + to[n + 2] : y.z;
      }
    }
  }
}
