// out[m, n] = act(sum_k a[m, k] * weight[n, k] + bias[n])        for NVIDIA GPUs of compute capability 9.0
//
// or, for rows where residual_row (epilogue.cl, prepended) returns a row of x: x += the same, out unchanged.
//
// The same products as gemm_mma.cl's, of the same parts of inputs and the same packed weight, by wgmma (wgmma.cl): 64
// rows and up to 256 columns an instruction, with w read from local memory by the tensor cores themselves. MODE is
// BF16X3, FP16X3, BF16 or FP16.
//
// A work-group computes BM x BN with BM / 64 warpgroups of 128 work-items, each 64 x BN. A work-item loads what it
// needs of a straight to registers, two blocks ahead, and splits it there; blocks of w are copied by copy_async into
// STAGES buffers. While block i is multiplied, block i + 1 of a is being split.
//
// Every output is one chain of wgmma over k from 0 on, whatever M and the tile are.
//
// Arguments as gemm_mma.cl's.
// ND-range: (ceil(N / BN) * ITEMS, ceil(M / BM)), local (ITEMS, 1)
//
// MODE;  BM  a multiple of 64;  BN  64, 128 or 256;  STAGES  2 or 3; no defaults
// ACTIVATION  as in epilogue.cl;  MODEL  as in mma.cl

#ifndef ACTIVATION
#define ACTIVATION ACT_NONE
#endif

#define ITEMS (BM * 2)
#define SPLIT (MODE == BF16X3 || MODE == FP16X3)
#define STEP (SPLIT ? 16 : 32)
#define B_LOADS (BN * 4 / ITEMS)
#define PAIRS (STEP / 4)  // of neighbouring k of a block, that a work-item has: of two rows

// Loads this work-item's part of block k0 of a: of its rows p[0] and p[1], k = k0 + 8 i + 2 (lane % 4) and the next.
static inline void fetch(float2 *x, __global const float *const *p, bool aligned, int K, int k0, int lane) {
  int k = k0 + lane % 4 * 2;
  if (aligned && k0 + STEP <= K) {
#pragma unroll
    for (int i = 0; i < PAIRS; i++) x[i] = *(__global const float2 *)(p[i % 2] + k + i / 2 * 8);
    return;
  }
#pragma unroll
  for (int i = 0; i < PAIRS; i++, k += i % 2 ? 0 : 8)
    x[i] = (float2)(k < K ? p[i % 2][k] : 0.0f, k + 1 < K ? p[i % 2][k + 1] : 0.0f);
}

// Splits it: operands of the two products' left sides, [pair][register]
static inline void split(const float2 *x, uint (*f)[4]) {
#pragma unroll
  for (int i = 0; i < PAIRS; i++) {
#if MODE == BF16 || MODE == BF16X3
    uint high = bf16x2(x[i].x, x[i].y);
#else
    uint high = fp16x2(x[i].x, x[i].y);
#endif
    f[i / 4][i % 4] = high;
#if MODE == BF16X3
    f[1][i] = bf16x2(x[i].x - as_float(high << 16), x[i].y - as_float(high & 0xffff0000u));
#elif MODE == FP16X3
    float2 rounded = floats_fp16x2(high);
    f[1][i] = fp16x2((x[i].x - rounded.x) * 2048.0f, (x[i].y - rounded.y) * 2048.0f);
#endif
  }
}

// Copies block `block` of w to local memory, asynchronously.
static inline void copy_weights(__local uint4 *bs, __global const uint4 *w, int blocks, int block, int item) {
  if (block < blocks) {
#pragma unroll
    for (int i = 0; i < B_LOADS; i++) {
      int at = item + i * ITEMS;
      copy_async(bs + at, w + ((size_t)(at / 256) * blocks + block) * 256 + at % 256);
    }
  }
  COPY_COMMIT;
}

__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void gemm_wgmma(
    __global const float *a, int aOffset, int aStride, __global const uint4 *w, __global const float *bias,
    int M, int N, int K, __global float *out, int outOffset, int outStride,
    __global float *x, int rowStride, __global const int *lists, int first, int tokens) {
  // Swizzles are of addresses: each stage begins at a multiple of 512 bytes. (PoCL aligns no local memory that far.)
  __local uint4 bs[STAGES][BN * 4] __attribute__((aligned(MODEL ? 64 : 1024)));
#if MODEL
  __local uint exchange[ITEMS * 4];
#endif
  int item = get_local_id(0), lane = item % 32, warp = item / 32;
  int m0 = get_global_id(1) * BM + warp * 16, n0 = get_group_id(0) * BN;
  int blocks = (K + STEP - 1) / STEP;
  a += (size_t)aOffset;
  out += (size_t)outOffset;
  w += (size_t)(n0 / 64) * blocks * 256;
  bool aligned = (size_t)a % 8 == 0 && aStride % 2 == 0;
  // Rows past the last repeat it; they are computed and not stored.
  __global const float *rows[2] = {a + (size_t)min(m0 + lane / 4, M - 1) * aStride,
                                   a + (size_t)min(m0 + lane / 4 + 8, M - 1) * aStride};

  float acc[BN / 2];
#if MODE == FP16X3
  float low[BN / 2];
#endif
#pragma unroll
  for (int stage = 0; stage < STAGES - 1; stage++) copy_weights(bs[stage], w, blocks, stage, item);
  float2 next[PAIRS], later[PAIRS];
  uint f[2][4];
  fetch(next, rows, aligned, K, 0, lane);
  split(next, f);
  if (blocks > 1) fetch(next, rows, aligned, K, STEP, lane);

  int stage = 0;
  for (int block = 0; block < blocks; block++) {
    COPY_WAIT(STAGES - 2);
    WGMMA_PUBLISH;
    barrier(CLK_LOCAL_MEM_FENCE);  // this block is complete, and the buffer of the one before is no longer read
    int last = stage == 0 ? STAGES - 1 : stage - 1;
    copy_weights(bs[last], w, blocks, block + STAGES - 1, item);
    if (block + 2 < blocks) fetch(later, rows, aligned, K, (block + 2) * STEP, lane);

    ulong b = WEIGHT_DESCRIPTOR(stage), b2 = b + (32 >> 4);  // the first and the second two chunks
    int add = block > 0;
    WGMMA_FENCE;
#if MODE == BF16X3
    MULTIPLY(acc, f[0], b2, add);
    MULTIPLY(acc, f[1], b, 1);
    MULTIPLY(acc, f[0], b, 1);
#elif MODE == FP16X3
    MULTIPLY(low, f[0], b2, add);
    MULTIPLY(low, f[1], b, 1);
    MULTIPLY(acc, f[0], b, add);
#else
    MULTIPLY(acc, f[0], b, add);
    MULTIPLY(acc, f[1], b2, 1);
#endif
    WGMMA_COMMIT;
    uint following[2][4];
    split(next, following);
    WGMMA_WAIT;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      f[0][i] = MOVED(following[0][i]);
      f[1][i] = MOVED(following[1][i]);
    }
#pragma unroll
    for (int i = 0; i < PAIRS; i++) next[i] = later[i];
    stage = stage == STAGES - 1 ? 0 : stage + 1;
  }

#pragma unroll
  for (int half_ = 0; half_ < 2; half_++) {
    int m = m0 + sum_row(lane, half_ * 2);
    if (m >= M) continue;
    __global float *residual = residual_row(x, rowStride, lists, first, tokens, m, N);
    __global float *to = residual ? residual : out + (size_t)m * outStride;
#pragma unroll
    for (int j = 0; j < BN / 8; j++) {
      float2 sum = (float2)(acc[j * 4 + half_ * 2], acc[j * 4 + half_ * 2 + 1]);
#if MODE == FP16X3
      sum = fma((float2)(low[j * 4 + half_ * 2], low[j * 4 + half_ * 2 + 1]), (float2)(1.0f / 2048), sum);
#endif
      finish_pair(sum, n0 + j * 8 + sum_column(lane, 0), N, bias, residual != 0, to);
    }
  }
}
