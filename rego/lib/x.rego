package ringfence.lib
