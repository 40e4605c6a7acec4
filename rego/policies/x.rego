package ringfence.x
