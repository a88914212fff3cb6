// Replaces JBIG-KIT, which is under the GPL, in the bundle: libtiff needs its functions for one rare compression, which
// a bundled vitpatch refuses ("it ends early", "Error decoding"). The encoder is never called.
#include <stddef.h>
#include <string.h>

enum { JBG_EOK = 0, JBG_ENOCONT = 0x20 | 7 };

void jbg_dec_init(void *state) { (void)state; }
void jbg_dec_free(void *state) { (void)state; }
int jbg_newlen(unsigned char *data, size_t count) { return (void)data, (void)count, JBG_EOK; }
int jbg_dec_in(void *state, unsigned char *data, size_t count, size_t *used) {
    (void)state, (void)data, (void)count;
    if (used) *used = 0;
    return JBG_ENOCONT;
}
const char *jbg_strerror(int code) { return (void)code, "JBIG compression is not built in"; }
long jbg_dec_getsize(const void *state) { return (void)state, 0; }
unsigned char *jbg_dec_getimage(const void *state, int plane) { return (void)state, (void)plane, NULL; }
void jbg_enc_init(
    void *state, unsigned long x, unsigned long y, int planes, unsigned char **image,
    void (*out)(unsigned char *, size_t, void *), void *file) {
    (void)state, (void)x, (void)y, (void)planes, (void)image, (void)out, (void)file;
}
void jbg_enc_out(void *state) { (void)state; }
void jbg_enc_free(void *state) { (void)state; }
