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

// Sum of a vector's lanes, always in the same order.
inline float lane_sum(floatv x) {
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
