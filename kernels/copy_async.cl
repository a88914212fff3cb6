// Copies from global to local memory that go on while the work-item computes: cp.async of NVIDIA GPUs from compute
// capability 8.0 on, in inline PTX. Prepended to files that use it.
//
// ASYNC  0 the device has none; 1 cp.async; 2 plain copies in their place, for tests on other devices

#define ASYNC_NONE 0
#define ASYNC_PTX 1
#define ASYNC_PLAIN 2
#ifndef ASYNC
#define ASYNC ASYNC_NONE
#endif

// 16 bytes, both addresses multiples of 16
static inline void copy_async(__local void *to, __global const void *from) {
#if ASYNC == ASYNC_PTX
  __asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" : : "r"((uint)(size_t)to), "l"(from) : "memory");
#else
  *(__local uint4 *)to = *(__global const uint4 *)from;
#endif
}

// Waits for this work-item's copies; a barrier makes those of others visible.
static inline void copy_wait() {
#if ASYNC == ASYNC_PTX
  __asm volatile("cp.async.wait_all;" : : : "memory");
#endif
}
