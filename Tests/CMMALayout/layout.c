#include "CMMALayout.h"

#include "../../kernels/mma_layout.cl"

int mma_chunk_place(int row, int chunk) { return chunk_place(row, chunk); }
int mma_a_offset(int lane, int pair) { return a_offset(lane, pair); }
int mma_w_offset(int lane, int pair) { return w_offset(lane, pair); }
int mma_sum_row(int lane, int e) { return sum_row(lane, e); }
int mma_sum_column(int lane, int e) { return sum_column(lane, e); }
