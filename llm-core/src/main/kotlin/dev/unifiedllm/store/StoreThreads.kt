package dev.unifiedllm.store

import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers

/** The threads on which databases and servers are used. They are not among those of [Dispatchers.IO], which callers may all hold while they wait for a call. */
internal val storeThreads: CoroutineDispatcher = Dispatchers.IO.limitedParallelism(64, "unified-llm-store")
