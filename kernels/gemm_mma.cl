// out[m, n] = act(sum_k a[m, k] * weight[n, k] + bias[n])        for NVIDIA GPUs with tensor cores (sm_80 and later)
//
// or, for rows where residual_row (epilogue.cl, prepended) returns a row of x: x += the same, out unchanged.
//
// Products run on tensor cores, by mma.sync in inline PTX; inputs are split into parts of 8 to 11 significant bits,
// sums are fp32. With hi = round(x) and lo = round(x - hi):
//
//   MODE    parts        products                          step K of a row in local memory, four chunks of 16 bytes
//   BF16X3  2 x bf16     hi hi' + (hi lo' + lo hi')        16     hi k 0-7, hi 8-15, lo 0-7, lo 8-15
//   FP16X3  2 x fp16     hi hi' + (hi lo' + lo hi') / 2^11 16     the same; lo is scaled by 2^11 and summed separately
//   BF16    bf16         hi hi'                            32     k 0-7, 8-15, 16-23, 24-31
//   FP16    fp16         hi hi'                            32     the same
//   TF32    tf32         hi hi'                            16     k 0-3, 4-7, 8-11, 12-15
//
// So a row of a block is 64 bytes in every mode, and each ldmatrix reads 8 rows x 16 bytes (mma_layout.cl).
//
// weight is split and stored in that order, padded with zeros:
//   weight [N, K]  ->  w [paddedN / 64, paddedK / STEP, 64, 4 chunks]
//
// A work-group computes BM x BN with BM / WM x BN / WN warps of WM x WN each. Blocks of a go from global memory to
// registers, are split there and stored to local memory; blocks of w by copy_async. While block i is
// multiplied, block i + 1 is being loaded.
//
// Every output is one chain of mma over k from 0 on, whatever M and the tile are.
//
// a     rows of aStride floats from aOffset on, [M, K]
// bias  [paddedN]
// out   rows of outStride floats from outOffset on, [M, N]
// ND-range: (ceil(N / BN) * ITEMS, ceil(M / BM)), local (ITEMS, 1)
//
// MODE  see above;  BM, BN  tile of a group, BN a multiple of 64;  WM, WN  tile of a warp, multiples of 16; no defaults
// ACTIVATION  as in epilogue.cl
//
// No required group size is declared: with one, NVIDIA's compiler ignores the limit of registers that lets two groups
// share a multiprocessor (TensorCoreGEMM.swift).

#ifndef ACTIVATION
#define ACTIVATION ACT_NONE
#endif

#define ITEMS (BM / WM * (BN / WN) * 32)
#define SPLIT (MODE == BF16X3 || MODE == FP16X3)
#define STEP (SPLIT || MODE == TF32 ? 16 : 32)
#define QUADS (STEP / 4)  // groups of four k in a row of a block
#define A_LOADS (BM * QUADS / ITEMS)
#define B_LOADS (BN * 4 / ITEMS)
#define TILES_M (WM / 16)
#define TILES_N (WN / 8)

// Loads block k0 of a to registers. Rows past the last repeat it; they are computed and not stored.
static inline void fetch(float4 *x, __global const float *a, int aStride, bool aligned, int m0, int M, int K, int k0,
                         int item) {
#pragma unroll
  for (int i = 0; i < A_LOADS; i++) {
    int at = item + i * ITEMS, k = k0 + at % QUADS * 4;
    __global const float *p = a + (size_t)min(m0 + at / QUADS, M - 1) * aStride + k;
    if (aligned && k + 4 <= K)
      x[i] = *(__global const float4 *)p;
    else
      x[i] = (float4)(k < K ? p[0] : 0.0f, k + 1 < K ? p[1] : 0.0f, k + 2 < K ? p[2] : 0.0f, k + 3 < K ? p[3] : 0.0f);
  }
}

// Splits the registers and stores them to local memory.
static inline void put(const float4 *x, __local uint4 *as, int item) {
#pragma unroll
  for (int i = 0; i < A_LOADS; i++) {
    int at = item + i * ITEMS, row = at / QUADS, quad = at % QUADS;
    float4 v = x[i];
#if MODE == TF32
    as[row * 4 + chunk_place(row, quad)] = (uint4)(tf32(v.x), tf32(v.y), tf32(v.z), tf32(v.w));
#else
    __local uint2 *to = (__local uint2 *)(as + row * 4 + chunk_place(row, quad / 2)) + quad % 2;
#if MODE == BF16 || MODE == BF16X3
    uint2 hi = (uint2)(bf16x2(v.x, v.y), bf16x2(v.z, v.w));
#else
    uint2 hi = (uint2)(fp16x2(v.x, v.y), fp16x2(v.z, v.w));
#endif
    *to = hi;
#if SPLIT
    to = (__local uint2 *)(as + row * 4 + chunk_place(row, 2 + quad / 2)) + quad % 2;
#if MODE == BF16X3
    *to = (uint2)(bf16x2(v.x - as_float(hi.x << 16), v.y - as_float(hi.x & 0xffff0000u)),
                  bf16x2(v.z - as_float(hi.y << 16), v.w - as_float(hi.y & 0xffff0000u)));
#else
    float2 low = floats_fp16x2(hi.x), high = floats_fp16x2(hi.y);
    *to = (uint2)(fp16x2((v.x - low.x) * 2048.0f, (v.y - low.y) * 2048.0f),
                  fp16x2((v.z - high.x) * 2048.0f, (v.w - high.y) * 2048.0f));
#endif
#endif
#endif
  }
}

// Copies block `block` of w to local memory, asynchronously.
static inline void copy_weights(__local uint4 *bs, __global const uint4 *w, int blocks, int block, int item) {
#pragma unroll
  for (int i = 0; i < B_LOADS; i++) {
    int at = item + i * ITEMS;
    copy_async(bs + at, w + ((size_t)(at / 256) * blocks + block) * 256 + at % 256);
  }
}

__kernel void gemm_mma(
    __global const float *a, int aOffset, int aStride, __global const uint4 *w, __global const float *bias,
    int M, int N, int K, __global float *out, int outOffset, int outStride,
    __global float *x, int rowStride, __global const int *lists, int first, int tokens) {
  __local uint4 as[2][BM * 4] __attribute__((aligned(128)));
  __local uint4 bs[2][BN * 4] __attribute__((aligned(128)));
  int item = get_local_id(0), lane = item % 32, warp = item / 32;
  int m0 = get_global_id(1) * BM, n0 = get_group_id(0) * BN;
  int warpM = warp / (BN / WN) * WM, warpN = warp % (BN / WN) * WN;
  int blocks = (K + STEP - 1) / STEP;
  a += (size_t)aOffset;
  out += (size_t)outOffset;
  w += (size_t)(n0 / 64) * blocks * 256;
  bool aligned = (size_t)a % 16 == 0 && aStride % 4 == 0;

  // Address of this lane's row for ldmatrix, in buffer 0, for the first and the second pair of chunks
  uint baseA = local_address(as) + warpM * 64, baseB = local_address(bs) + warpN * 64;
  uint atA[2] = {baseA + a_offset(lane, 0), baseA + a_offset(lane, 1)};
  uint atB[2] = {baseB + w_offset(lane, 0), baseB + w_offset(lane, 1)};

  float acc[TILES_M][TILES_N][4];
#if MODE == FP16X3
  float low[TILES_M][TILES_N][4];
#endif
#pragma unroll
  for (int i = 0; i < TILES_M; i++)
#pragma unroll
    for (int j = 0; j < TILES_N; j++)
#pragma unroll
      for (int e = 0; e < 4; e++) {
        acc[i][j][e] = 0.0f;
#if MODE == FP16X3
        low[i][j][e] = 0.0f;
#endif
      }

  float4 next[A_LOADS];
  fetch(next, a, aStride, aligned, m0, M, K, 0, item);
  put(next, as[0], item);
  copy_weights(bs[0], w, blocks, 0, item);
  if (blocks > 1) fetch(next, a, aStride, aligned, m0, M, K, STEP, item);

  for (int block = 0; block < blocks; block++) {
    COPY_COMMIT;
    COPY_WAIT(0);
    barrier(CLK_LOCAL_MEM_FENCE);  // this block is complete, and the other buffer is no longer read
    int now = block & 1;
    if (block + 1 < blocks) {
      copy_weights(bs[now ^ 1], w, blocks, block + 1, item);
      put(next, as[now ^ 1], item);
      if (block + 2 < blocks) fetch(next, a, aStride, aligned, m0, M, K, (block + 2) * STEP, item);
    }
    uint shiftA = now * BM * 64, shiftB = now * BN * 64;
    uint b[2][TILES_N / 2][4];
#pragma unroll
    for (int p = 0; p < 2; p++)
#pragma unroll
      for (int j = 0; j < TILES_N / 2; j++) load_matrices(b[p][j], atB[p] + shiftB + j * 16 * 64);
#pragma unroll
    for (int i = 0; i < TILES_M; i++) {
      uint fa[2][4];
      load_matrices(fa[0], atA[0] + shiftA + i * 16 * 64);
      load_matrices(fa[1], atA[1] + shiftA + i * 16 * 64);
#pragma unroll
      for (int j = 0; j < TILES_N; j++) {
        uint *b0 = b[0][j / 2] + j % 2 * 2, *b1 = b[1][j / 2] + j % 2 * 2;
#if MODE == BF16X3
        multiply(acc[i][j], fa[0], b1[0], b1[1]);
        multiply(acc[i][j], fa[1], b0[0], b0[1]);
        multiply(acc[i][j], fa[0], b0[0], b0[1]);
#elif MODE == FP16X3
        multiply(low[i][j], fa[0], b1[0], b1[1]);
        multiply(low[i][j], fa[1], b0[0], b0[1]);
        multiply(acc[i][j], fa[0], b0[0], b0[1]);
#else
        multiply(acc[i][j], fa[0], b0[0], b0[1]);
        multiply(acc[i][j], fa[1], b1[0], b1[1]);
#endif
      }
    }
  }

#pragma unroll
  for (int i = 0; i < TILES_M; i++)
#pragma unroll
    for (int half_ = 0; half_ < 2; half_++) {
      int m = m0 + warpM + i * 16 + sum_row(lane, half_ * 2);
      if (m >= M) continue;
      __global float *residual = residual_row(x, rowStride, lists, first, tokens, m, N);
      __global float *to = residual ? residual : out + (size_t)m * outStride;
#pragma unroll
      for (int j = 0; j < TILES_N; j++) {
        float2 sum = (float2)(acc[i][j][half_ * 2], acc[i][j][half_ * 2 + 1]);
#if MODE == FP16X3
        sum = fma((float2)(low[i][j][half_ * 2], low[i][j][half_ * 2 + 1]), (float2)(1.0f / 2048), sum);
#endif
        finish_pair(sum, n0 + warpN + j * 8 + sum_column(lane, 0), N, bias, residual != 0, to);
      }
    }
}
