// Tensor cores in inline PTX, for NVIDIA GPUs of compute capability 8.0 and later; prepended to gemm_mma.cl,
// gemm_wgmma.cl and attention_mma.cl. Instructions and the layout of their operands over the lanes of a warp are those
// of the PTX ISA ("Warp-level matrix instructions", mma.sync m16n8k16 and m16n8k8, ldmatrix).
//
// MODE   the arithmetic of products:
// MODEL  1 where plain OpenCL stands for the instructions that gemm_wgmma.cl uses, for tests on other devices

#define BF16X3 1
#define BF16 2
#define FP16 3
#define FP16X3 4
#define TF32 5

#ifndef MODEL
#define MODEL 0
#endif

#if MODEL
static inline uint bf16_bits(float x) {
  uint bits = as_uint(x);
  return isnan(x) ? 0x7fff : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}
static inline uint bf16x2(float low, float high) { return bf16_bits(low) | bf16_bits(high) << 16; }
static inline uint fp16x2(float low, float high) {
  ushort y[2];
  vstore_half_rte(low, 0, (half *)y);
  vstore_half_rte(high, 1, (half *)y);
  return y[0] | (uint)y[1] << 16;
}
static inline float2 floats_fp16x2(uint x) {
  ushort y[2] = {x & 0xffff, x >> 16};
  return (float2)(vload_half(0, (const half *)y), vload_half(1, (const half *)y));
}
#else
static inline uint bf16x2(float low, float high) {
  uint y;
  __asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
  return y;
}
static inline uint fp16x2(float low, float high) {
  uint y;
  __asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
  return y;
}
static inline float2 floats_fp16x2(uint x) {
  float2 y;
  __asm("{ .reg .b16 l, h; mov.b32 {l, h}, %2; cvt.f32.f16 %0, l; cvt.f32.f16 %1, h; }"
        : "=f"(y.x), "=f"(y.y) : "r"(x));
  return y;
}
static inline uint tf32(float x) {
  uint y;
  __asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(y) : "f"(x));
  return y;
}

static inline uint local_address(__local const void *p) { return (uint)(size_t)p; }

static inline void load_matrices(uint *x, uint address) {
  __asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3]) : "r"(address) : "memory");
}

// c [16, 8] += a [16, k] b [k, 8]
static inline void multiply(float *c, const uint *a, uint b0, uint b1) {
#if MODE == TF32
#define MMA "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32"
#elif MODE == FP16 || MODE == FP16X3
#define MMA "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32"
#else
#define MMA "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32"
#endif
  __asm(MMA " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
#endif

// Adds the bias to a sum's columns n and n + 1, applies the activation, and stores it to row `to` or adds it there;
// epilogue.cl is prepended where this is used.
#ifdef ACTIVATION
static inline void finish_pair(float2 sum, int n, int N, __global const float *bias, bool add, __global float *to) {
  if (n >= N) return;
  float2 y = sum + *(__global const float2 *)(bias + n);
  y.x = activate_float(y.x, ACTIVATION);
  y.y = activate_float(y.y, ACTIVATION);
  if (n + 1 < N && (size_t)(to + n) % 8 == 0) {
    if (add) y += *(__global const float2 *)(to + n);
    *(__global float2 *)(to + n) = y;
  } else {
    to[n] = add ? y.x + to[n] : y.x;
    if (n + 1 < N) to[n + 1] = add ? y.y + to[n + 1] : y.y;
  }
}
#endif
