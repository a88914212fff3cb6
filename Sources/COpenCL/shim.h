// The one place that pins the OpenCL version: nothing newer than 1.2 is visible to Swift.
#pragma once
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
