// Pins the OpenCL version, as CCLBlast's shim does: nothing newer than 1.2 is visible to Swift.
#pragma once
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
