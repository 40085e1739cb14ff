// Groups of parameters that several kernels have. In a kernel's `Params` a line `// fields: Group` stands for the fields of
// the struct here; no kernel has the struct itself, which a uniform buffer would pad.

// What an index names: places along a dimension of length n of an array [outer, n, inner], for the elements of an array
// [outer, m, inner].
struct IndexFields {
    // The elements, or the columns (o, i), that have a thread each.
    count: u32,
    n: u32,
    m: u32,
    inner: u32,
    index_offset: u32,
}

// What is moved to or from there.
struct MoveFields {
    x_offset: u32,
    y_offset: u32,
    // What is reported of an index outside.
    code: u32,
    detail: u32,
}

// A convolution: `m` results per group from `channels` of the source.
struct ConvFields {
    m: u32,
    channels: u32,
    groups: u32,
    source_z: u32,
    source_y: u32,
    source_x: u32,
    positions_z: u32,
    positions_y: u32,
    positions_x: u32,
    kernel_z: u32,
    kernel_y: u32,
    kernel_x: u32,
    stride_z: u32,
    stride_y: u32,
    stride_x: u32,
    padding_z: u32,
    padding_y: u32,
    padding_x: u32,
    dilation_z: u32,
    dilation_y: u32,
    dilation_x: u32,
}

// The lengths of planes before and after poolings and resamplings.
struct PlaneFields {
    in_z: u32,
    in_y: u32,
    in_x: u32,
    out_z: u32,
    out_y: u32,
    out_x: u32,
}

// Where a pooling's windows lie.
struct WindowFields {
    stride_z: u32,
    stride_y: u32,
    stride_x: u32,
    padding_z: u32,
    padding_y: u32,
    padding_x: u32,
}

// Elements that are normalised together; see `element_of` and `parameter_of`.
struct NormFields {
    outer: u32,
    means: u32,
    inner: u32,
    cycle: u32,
    per_mean: u32,
    step: u32,
}

// The operands of a matrix product.
struct FactorFields {
    m: u32,
    n: u32,
    k: u32,
    a_offset: u32,
    a_batch: u32,
    a_row: u32,
    a_column: u32,
    b_offset: u32,
    b_batch: u32,
    b_row: u32,
    b_column: u32,
}

// Its results and their last step; see `matmul_result`.
struct ProductFields {
    flags: u32,
    out_offset: u32,
    out_batch: u32,
    out_row: u32,
    out_column: u32,
    bias_offset: u32,
    bias_stride: u32,
    alpha_low: u32,
    alpha_high: u32,
    beta_low: u32,
    beta_high: u32,
}

// What is drawn, and from where in a generator's stream.
struct DrawFields {
    n: u32,
    key_low: u32,
    key_high: u32,
    offset_low: u32,
    offset_high: u32,
    y_offset: u32,
}
