// wgmma of NVIDIA GPUs of compute capability 9.0 in inline PTX; prepended to gemm_wgmma.cl, after mma.cl. Instructions
// and descriptors are those of the PTX ISA ("Asynchronous warpgroup level matrix instructions").
//
// NVIDIA's OpenCL compiles for sm_90, which lacks wgmma; the target is sm_90a. So these instructions are PTX comments
// that begin with `//!`. The runtime takes the PTX that the driver makes, changes its target, turns the comments into
// instructions and loads it (Retargeting.swift). One comment is one line.

// 64-bit descriptor of local memory whose rows are 64 bytes and whose chunks are permuted as by chunk_place
// (mma_layout.cl): that is the hardware's swizzle of 64 bytes, in groups of 8 rows, 512 bytes apart.
static inline ulong matrix_descriptor(uint address) {
  return (ulong)(address >> 4 & 0x3fff) | (ulong)1 << 16 | (ulong)(512 >> 4) << 32 | (ulong)2 << 62;
}

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

#if MODE == FP16 || MODE == FP16X3
#define WGMMA_TYPES "f32.f16.f16"
#else
#define WGMMA_TYPES "f32.bf16.bf16"
#endif

// d [64, WGMMA_N] = (add ? d : 0) + a [64, 16] b [16, WGMMA_N], by the four warps of a warpgroup: a in registers, as
// mma.sync's m16n8k16 has it, 16 rows a warp; b in local memory; d as mma.sync has it, eight columns after another.
// Operands 0 ..< 32 n of an instruction, and d as its operands
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

static inline void multiply_group(float *d, const uint *a, ulong b, int add) {
  __asm volatile("//!{ .reg .pred p; setp.ne.b32 p, " WGMMA_ADD ", 0; "
                 "wgmma.mma_async.sync.aligned." WGMMA_SHAPE WGMMA_TYPES
                 " {" WGMMA_REGISTERS "}, " WGMMA_INPUTS ", p, 1, 1, 0; }"
                 : WGMMA_D
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add)
                 : "memory");
}
