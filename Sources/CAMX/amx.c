#include "CAMX.h"

#if defined(__x86_64__) && defined(__linux__)

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ARCH_REQ_XCOMP_PERM 0x1023
#define XFEATURE_XTILEDATA 18

// Bits of XCR0: SSE, AVX and the three of AVX-512; the tiles' configuration and their data
#define XCR0_AVX512 0xe6u
#define XCR0_TILES (1u << 17 | 1u << 18)

// What the operating system saves, the low half; 0 where it cannot be asked
static unsigned saved(void) {
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & 1u << 27)) return 0;
    __asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
    return eax;
}

static int has_avx512_bf16(void) {
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) || eax < 1 || !(ebx & 1u << 16)) return 0;
    return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax & 1u << 5);
}

int vitpatch_has_avx512_bf16(void) { return has_avx512_bf16() && (saved() & XCR0_AVX512) == XCR0_AVX512; }

enum vitpatch_amx vitpatch_amx_request(void) {
    unsigned eax, ebx, ecx, edx, needed = XCR0_AVX512 | XCR0_TILES;
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return VITPATCH_AMX_NO_UNITS;
    // AMX-TILE and AMX-BF16
    if (!(edx & 1u << 24) || !(edx & 1u << 22) || !has_avx512_bf16()) return VITPATCH_AMX_NO_UNITS;
    if ((saved() & needed) != needed) return VITPATCH_AMX_NOT_SAVED;
    if (syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) != 0) return VITPATCH_AMX_NOT_PERMITTED;
    return VITPATCH_AMX_READY;
}

#else

int vitpatch_has_avx512_bf16(void) { return 0; }
enum vitpatch_amx vitpatch_amx_request(void) { return VITPATCH_AMX_OTHER_ARCHITECTURE; }

#endif
