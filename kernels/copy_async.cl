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

// Ends a group of this work-item's copies; waits until all of its groups but the last n are complete, n a literal. A
// barrier makes the copies of others visible.
#if ASYNC == ASYNC_PTX
#define COPY_COMMIT __asm volatile("cp.async.commit_group;" : : : "memory")
#define COPY_WAIT(n) __asm volatile("cp.async.wait_group %0;" : : "n"(n) : "memory")
#else
#define COPY_COMMIT
#define COPY_WAIT(n)
#endif
