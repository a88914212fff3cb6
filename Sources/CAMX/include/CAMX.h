// Whether this process may use the CPU's matrix tiles (Intel AMX) with bf16 numbers.

enum vitpatch_amx {
    VITPATCH_AMX_READY = 0,
    VITPATCH_AMX_OTHER_ARCHITECTURE, // not compiled for x86_64 Linux
    VITPATCH_AMX_NO_UNITS,           // CPUID has no AMX-TILE, AMX-BF16 or AVX512-BF16
    VITPATCH_AMX_NOT_SAVED,          // the operating system does not save tiles
    VITPATCH_AMX_NOT_PERMITTED,      // arch_prctl refused
};

// Checks CPUID, then asks the kernel to let this process use tiles, which has to precede the first use: without that,
// ldtilecfg passes and the next instruction ends the process. Executes no instruction that a CPU may lack.
enum vitpatch_amx vitpatch_amx_request(void);

// Whether the CPU converts pairs of floats to bf16 (AVX512-BF16) and the operating system saves its registers.
int vitpatch_has_avx512_bf16(void);
