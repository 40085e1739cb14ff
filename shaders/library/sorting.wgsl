// Sorting in workgroup memory.

// Sorts each block of SIZE neighbouring slots of `ranks`, equal ranks by `places`: a bitonic network (Batcher, 1968) whose
// first step of each stage compares mirrored slots, so that all blocks ascend. TOTAL slots, THREADS threads.
fn sort_slots(thread: u32) {
    workgroupBarrier();
    for (var block = 2u; block <= SIZE; block *= 2u) {
        for (var step = block / 2u; step > 0u; step /= 2u) {
            for (var pair = thread; pair < TOTAL / 2u; pair += THREADS) {
                let a = ((pair & ~(step - 1u)) << 1u) + (pair & (step - 1u));
                let b = select(a + step, a ^ (block - 1u), step == block / 2u);
                let rank_a = ranks[a];
                let rank_b = ranks[b];
                let place_a = places[a];
                let place_b = places[b];
                if (rank_b < rank_a || (rank_b == rank_a && place_b < place_a)) {
                    ranks[a] = rank_b;
                    ranks[b] = rank_a;
                    places[a] = place_b;
                    places[b] = place_a;
                }
            }
            workgroupBarrier();
        }
    }
}
