// out[m, n] = act(sum_k a[m, k] * weight[n, k] + bias[n])        for CPUs
//
// or, for rows where residual_row (epilogue.cl, prepended) returns a row of x: x += the same. Their rows of out then
// hold partial sums.
//
// weight is stored in panels of NR = NV * V columns, K-major, the last panel padded with zeros:
//
//   weight [N, K]  ->  w [ceil(N / NR), K, NR]           one panel:   k  | n .. n + NR |
//
// A work-item computes one panel for `block` rows of a. It goes through them in tiles of MR rows, whose MR x NV
// accumulators stay in registers. K is split into blocks of KC, so that a panel's block [KC, NR] and a's block
// [block, KC] stay in the second-level cache during all tiles. (Blocks for the first-level cache cost more in reading
// and writing sums between them than they save.)
//
//            NR                       per k: NV vector loads of w, MR scalars of a, MR * NV fma
//          +----+
//       KC | w  |
//   MR +---+----+
//      | a | acc|     the sums between two K blocks are stored in out
//      +---+----+
//
// Every output is one chain of fma over k = 0 ..< K, whatever M and the tile are.
//
// a     rows of aStride floats from aOffset on, [M, K]
// bias  [N], padded to whole panels
// out   rows of outStride floats from outOffset on, [M, N]
// ND-range: (panels, ceil(M / block)), local (1, 1)
//
// activation  as in epilogue.cl; a run-time argument, since a constant makes CPUs spill the accumulators
// MR, NV, KC as above

#ifndef MR
#define MR 6
#endif
#ifndef NV
#define NV 2
#endif
#ifndef KC
#define KC 768
#endif
#define NR (NV * V)

__kernel void gemm_packed(__global const float *a, int aOffset, int aStride, __global const float *w,
                          __global const float *bias, int M, int N, int K, int block, int activation,
                          __global float *out, int outOffset, int outStride, __global float *x, int rowStride,
                          __global const int *lists, int first, int tokens) {
  int panel = get_global_id(0);
  int m0 = get_global_id(1) * block, m1 = min(m0 + block, M);
  int n0 = panel * NR;
  a += (size_t)aOffset;
  w += (size_t)panel * K * NR;
  out += (size_t)outOffset + n0;

  for (int k0 = 0; k0 < K; k0 += KC) {
    int k1 = min(k0 + KC, K);
    for (int m = m0; m < m1; m += MR) {
      // Rows past the last repeat it; they are computed and not stored.
      __global const float *row[MR];
#pragma unroll
      for (int i = 0; i < MR; i++) row[i] = a + (size_t)min(m + i, m1 - 1) * aStride;

      floatv acc[MR][NV];
      if (k0 == 0 || n0 + NR > N) {
#pragma unroll
        for (int i = 0; i < MR; i++)
#pragma unroll
          for (int j = 0; j < NV; j++) acc[i][j] = 0.0f;
      }
      if (k0 > 0) {
        if (n0 + NR <= N) {
#pragma unroll
          for (int i = 0; i < MR; i++)
#pragma unroll
            for (int j = 0; j < NV; j++) acc[i][j] = LOADV(out + (size_t)min(m + i, m1 - 1) * outStride + j * V);
        } else {
#pragma unroll
          for (int i = 0; i < MR; i++) {
            float tail[NR];
            for (int n = 0; n < NR; n++)
              tail[n] = n0 + n < N ? out[(size_t)min(m + i, m1 - 1) * outStride + n] : 0.0f;
#pragma unroll
            for (int j = 0; j < NV; j++) acc[i][j] = LOADV(tail + j * V);
          }
        }
      }
      __global const float *b = w + (size_t)k0 * NR;
      for (int k = k0; k < k1; k++, b += NR) {
        floatv v[NV];
#pragma unroll
        for (int j = 0; j < NV; j++) v[j] = LOADV(b + j * V);
#pragma unroll
        for (int i = 0; i < MR; i++) {
          floatv s = row[i][k];
#pragma unroll
          for (int j = 0; j < NV; j++) acc[i][j] = fma(s, v[j], acc[i][j]);
        }
      }
      if (k1 == K) {
#pragma unroll
        for (int j = 0; j < NV; j++) {
          floatv add = LOADV(bias + n0 + j * V);
#pragma unroll
          for (int i = 0; i < MR; i++) acc[i][j] += add;
        }
        if (activation != ACT_NONE) {
#pragma unroll
          for (int i = 0; i < MR; i++)
#pragma unroll
            for (int j = 0; j < NV; j++) acc[i][j] = activate_floatv(acc[i][j], activation);
        }
      }
#pragma unroll
      for (int i = 0; i < MR; i++) {
        if (m + i >= m1) break;
        __global float *to = out + (size_t)(m + i) * outStride;
        __global float *residual = k1 == K ? residual_row(x, rowStride, lists, first, tokens, m + i, N) : 0;
        if (residual) to = residual + n0;
        if (n0 + NR <= N) {
          if (residual) {
#pragma unroll
            for (int j = 0; j < NV; j++) acc[i][j] += LOADV(to + j * V);
          }
#pragma unroll
          for (int j = 0; j < NV; j++) STOREV(acc[i][j], to + j * V);
        } else {
          float tail[NR];
#pragma unroll
          for (int j = 0; j < NV; j++) STOREV(acc[i][j], tail + j * V);
          for (int n = 0; n0 + n < N; n++) to[n] = residual ? tail[n] + to[n] : tail[n];
        }
      }
    }
  }
}
