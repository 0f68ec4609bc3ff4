"""What a worker and a simulated gateway said to each other, for every tool and every fault, to be replayed for ever."""
