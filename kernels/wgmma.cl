// wgmma of NVIDIA GPUs of compute capability 9.0 in inline PTX; prepended to gemm_wgmma.cl, after mma.cl. Instructions
// and descriptors are those of the PTX ISA ("Asynchronous warpgroup level matrix instructions").
//
// NVIDIA's OpenCL compiles for sm_90, which lacks wgmma; the target is sm_90a. So these instructions are PTX comments
// that begin with `//!`. The runtime takes the PTX that the driver makes, changes its target, turns the comments into
// instructions and loads it (Retargeting.swift). One comment is one line.
//
// With MODEL (mma.cl) the same in plain OpenCL, so that all of gemm_wgmma.cl but these lines runs on any device, in
// tests.

// 64-bit descriptor of local memory whose rows are 64 bytes and whose chunks are permuted as by chunk_place
// (mma_layout.cl): that is the hardware's swizzle of 64 bytes, in groups of 8 rows, 512 bytes apart.
static inline ulong matrix_descriptor(uint address) {
  return (ulong)(address >> 4 & 0x3fff) | (ulong)1 << 16 | (ulong)(512 >> 4) << 32 | (ulong)2 << 62;
}

#if MODEL
#define WGMMA_FENCE
#define WGMMA_COMMIT
#define WGMMA_WAIT
#define WGMMA_PUBLISH
#define MOVED(x) (x)

static inline float half_of(uint word, int upper) {
#if MODE == FP16 || MODE == FP16X3
  return upper ? floats_fp16x2(word).y : floats_fp16x2(word).x;
#else
  return as_float(upper ? word & 0xffff0000u : word << 16);
#endif
}

// What the instruction below does. Descriptors hold addresses relative to bs; exchange [ITEMS, 4] takes a.
static inline void multiply_model(float *d, const uint *a, ulong b, int add, __local const uchar *bs,
                                  __local uint *exchange, int item) {
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int i = 0; i < 4; i++) exchange[item * 4 + i] = a[i];
  barrier(CLK_LOCAL_MEM_FENCE);
  int start = (int)(b & 0x3fff) << 4, stride = (int)(b >> 32 & 0x3fff) << 4, lane = item % 32;
  for (int i = 0; i < WGMMA_N / 2; i++) {
    int row = lane / 4 + i % 4 / 2 * 8, column = i / 4 * 8 + lane % 4 * 2 + i % 2;
    float sum = add ? d[i] : 0.0f;
    for (int k = 0; k < 16; k++) {
      uint word = exchange[(item - lane + row % 8 * 4 + k % 8 / 2) * 4 + row / 8 + k / 8 * 2];
      int at = start + column / 8 * stride + column % 8 * 64 + k / 2 * 4;
      uint weights = *(__local const uint *)(bs + (at ^ (at >> 7 & 3) << 4));
      sum = fma(half_of(word, k % 2), half_of(weights, k % 2), sum);
    }
    d[i] = sum;
  }
}
#define WEIGHT_DESCRIPTOR(stage) matrix_descriptor((stage) * sizeof(bs[0]))
#define MULTIPLY(d, a, b, add) multiply_model(d, a, b, add, (__local const uchar *)bs, exchange, item)
#else

// Orders accesses of registers before the first wgmma; ends a group of them; waits for all.
#define WGMMA_FENCE __asm volatile("//!wgmma.fence.sync.aligned;" : : : "memory")
#define WGMMA_COMMIT __asm volatile("//!wgmma.commit_group.sync.aligned;" : : : "memory")
#define WGMMA_WAIT __asm volatile("//!wgmma.wait_group.sync.aligned 0;" : : : "memory")
// What this work-item wrote to local memory becomes visible to wgmma.
#define WGMMA_PUBLISH __asm volatile("fence.proxy.async.shared::cta;" : : : "memory")

// A copy that is made here and not earlier: registers that a wgmma reads may not be written while it runs.
static inline uint moved(uint x) {
  uint y;
  __asm volatile("mov.b32 %0, %1;" : "=r"(y) : "r"(x) : "memory");
  return y;
}
#define MOVED(x) moved(x)

#if MODE == FP16 || MODE == FP16X3
#define WGMMA_TYPES "f32.f16.f16"
#else
#define WGMMA_TYPES "f32.bf16.bf16"
#endif

// The first 32, 64 or 128 operands of an instruction in PTX, and d as these operands
#define WGMMA_REGISTERS_32 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15" \
  ", %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define WGMMA_REGISTERS_64 \
  WGMMA_REGISTERS_32 \
  ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47" \
  ", %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define WGMMA_REGISTERS_128 \
  WGMMA_REGISTERS_64 \
  ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79" \
  ", %80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95" \
  ", %96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111" \
  ", %112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define WGMMA_D4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define WGMMA_D16(i) WGMMA_D4(i), WGMMA_D4(i + 4), WGMMA_D4(i + 8), WGMMA_D4(i + 12)
#define WGMMA_D_32 WGMMA_D16(0), WGMMA_D16(16)
#define WGMMA_D_64 WGMMA_D_32, WGMMA_D16(32), WGMMA_D16(48)
#define WGMMA_D_128 WGMMA_D_64, WGMMA_D16(64), WGMMA_D16(80), WGMMA_D16(96), WGMMA_D16(112)

#if WGMMA_N == 64
#define WGMMA_SHAPE "m64n64k16."
#define WGMMA_REGISTERS WGMMA_REGISTERS_32
#define WGMMA_D WGMMA_D_32
#define WGMMA_INPUTS "{%32, %33, %34, %35}, %36"
#define WGMMA_ADD "%37"
#elif WGMMA_N == 128
#define WGMMA_SHAPE "m64n128k16."
#define WGMMA_REGISTERS WGMMA_REGISTERS_64
#define WGMMA_D WGMMA_D_64
#define WGMMA_INPUTS "{%64, %65, %66, %67}, %68"
#define WGMMA_ADD "%69"
#elif WGMMA_N == 256
#define WGMMA_SHAPE "m64n256k16."
#define WGMMA_REGISTERS WGMMA_REGISTERS_128
#define WGMMA_D WGMMA_D_128
#define WGMMA_INPUTS "{%128, %129, %130, %131}, %132"
#define WGMMA_ADD "%133"
#endif

// d [64, WGMMA_N] = (add ? d : 0) + a [64, 16] b [16, WGMMA_N], by the four warps of a warpgroup: a in registers, as
// mma.sync's m16n8k16 has it, 16 rows a warp; b in local memory; d as mma.sync has it, eight columns after another.
static inline void multiply_group(float *d, const uint *a, ulong b, int add) {
  __asm volatile("//!{ .reg .pred p; setp.ne.b32 p, " WGMMA_ADD ", 0; "
                 "wgmma.mma_async.sync.aligned." WGMMA_SHAPE WGMMA_TYPES
                 " {" WGMMA_REGISTERS "}, " WGMMA_INPUTS ", p, 1, 1, 0; }"
                 : WGMMA_D
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add)
                 : "memory");
}
#define WEIGHT_DESCRIPTOR(stage) matrix_descriptor(local_address(bs[stage]))
#define MULTIPLY(d, a, b, add) multiply_group(d, a, b, add)
#endif
