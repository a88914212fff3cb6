// SHA-256 only, from OpenSSL's libcrypto.
#pragma once
#include <openssl/sha.h>
