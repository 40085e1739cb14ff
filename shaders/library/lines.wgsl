// Lines: a dense array is [outer, n, inner] around the dimension that a kernel works along.

// The position of a line's first element; its elements are `inner` apart.
fn line_start(line: u32, n: u32, inner: u32) -> u32 {
    return (line / inner) * n * inner + line % inner;
}

// A thread's place. A kernel with the settings THREADS, LANES and COLUMNS gives each line LANES threads, so that a workgroup
// has THREADS / LANES lines. With COLUMNS, neighbouring threads are at neighbouring lines, which lie beside each other in
// memory where inner is not 1; else at neighbouring elements of one line.
struct Lane {
    // The line, counted from the workgroup's first.
    line: u32,
    // The thread's number among the line's.
    lane: u32,
    // The slot of lane 0, and the distance to the next lane's slot.
    first: u32,
    stride: u32,
}

fn lane_of(thread: u32) -> Lane {
    const lines = THREADS / LANES;
    if (COLUMNS == 1u) {
        return Lane(thread % lines, thread / lines, thread % lines, lines);
    }
    return Lane(thread / LANES, thread % LANES, thread - thread % LANES, 1u);
}

// Joins what the kernel keeps in one slot per thread into the slot of each line's lane 0: its function `join(a, b)` puts
// into slot a what slots a and b hold. Every thread of the workgroup must come here.
fn join_lanes(at: Lane) {
    workgroupBarrier();
    for (var step = LANES / 2u; step > 0u; step /= 2u) {
        if (at.lane < step) {
            let slot = at.first + at.lane * at.stride;
            join(slot, slot + step * at.stride);
        }
        workgroupBarrier();
    }
}
