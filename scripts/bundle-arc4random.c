// arc4random for the bundle. Debian 12's static libstdc++ takes it from glibc, which has it only since 2.36. With this
// replacement the binary also runs on glibc 2.35 (Ubuntu 22.04).

#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

uint32_t arc4random(void) {
    uint32_t value;
    // Up to 256 bytes arrive whole or not at all (before the kernel's pool is ready, or after a signal).
    while (getrandom(&value, sizeof value, 0) != sizeof value) {}
    return value;
}
