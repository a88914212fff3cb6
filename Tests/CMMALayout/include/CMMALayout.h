// The functions of kernels/mma_layout.cl, in C.
int mma_chunk_place(int row, int chunk);
int mma_a_offset(int lane, int pair);
int mma_w_offset(int lane, int pair);
int mma_sum_row(int lane, int e);
int mma_sum_column(int lane, int e);
