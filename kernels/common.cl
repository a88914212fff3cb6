// Put in front of every other file of this folder.
//
// Macros (Swift passes them from one Tuning value):
//   V   floats in one vector load: the CPU's vector width, 4 on GPUs
//   WG  work-items that share one row of D floats: 1 on CPUs, a power of two on GPUs

#ifndef V
#define V 8
#endif
#ifndef WG
#define WG 1
#endif

// Every product-sum below is an explicit fma, and nothing else may become one: the same bits on every path.
#pragma OPENCL FP_CONTRACT OFF

#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)
#if V == 1
typedef float floatv;
#define LOADV(p) (*(p))
#define STOREV(x, p) (*(p) = (x))
#else
typedef CAT(float, V) floatv;
#define LOADV(p) CAT(vload, V)(0, (p))
#define STOREV(x, p) CAT(vstore, V)((x), 0, (p))
#endif

// Four floats in global memory. vload4 promises nothing about the address, so that compilers may make four accesses of it;
// on GPUs one of 16 bytes is wanted, wherever the address allows it.
static inline float4 load_global(__global const float *p) {
  return (size_t)p % 16 == 0 ? *(__global const float4 *)p : vload4(0, p);
}
static inline void store_global(float4 x, __global float *p) {
  if ((size_t)p % 16 == 0) *(__global float4 *)p = x; else vstore4(x, 0, p);
}

// LOADV and STOREV in global memory
#if V == 4
#define LOADG(p) load_global(p)
#define STOREG(x, p) store_global((x), (p))
#else
#define LOADG(p) LOADV(p)
#define STOREG(x, p) STOREV(x, p)
#endif

// Sum of a vector's lanes, always in the same order.
static inline float lane_sum(floatv x) {
#if V == 16
  float8 a = x.lo + x.hi; float4 b = a.lo + a.hi; float2 c = b.lo + b.hi; return c.x + c.y;
#elif V == 8
  float4 b = x.lo + x.hi; float2 c = b.lo + b.hi; return c.x + c.y;
#elif V == 4
  float2 c = x.lo + x.hi; return c.x + c.y;
#elif V == 2
  return x.x + x.y;
#else
  return x;
#endif
}

// exp2_T: 2^x = 2^n (1 + f P(f)) for -126 <= x < 127, n the whole number next to x (adding 1.5 * 2^23 rounds to it, and
// leaves it in the low bits); NaN for NaN. P is a weighted minimax fit (scripts/fit_gelu.py): within 2.8 roundings of it.
// Written once for a vector type T and the casts between it and the integers of its width.
#define DEFINE_EXP2(T, AS_T, AS_I)                               \
  static inline T CAT(exp2_, T)(T x) {                                  \
    T shifted = x + (T)(12582912.0f);                            \
    T f = x - (shifted - (T)(12582912.0f));                      \
    T p = fma(f, (T)(0.0013264726f), (T)(0.009671513f));         \
    p = fma(p, f, (T)(0.055507336f));                            \
    p = fma(p, f, (T)(0.24022242f));                             \
    p = fma(p, f, (T)(0.693147f));                               \
    p = fma(p, f, (T)(1.0f));                                    \
    return p * AS_T((AS_I(shifted) << 23) + 0x3f800000);         \
  }
