package dev.unifiedllm.dsl

import dev.unifiedllm.Bulk
import dev.unifiedllm.BulkOptions
import dev.unifiedllm.Call
import dev.unifiedllm.Llm
import dev.unifiedllm.defaultBulk
import kotlinx.coroutines.flow.Flow

/**
 * A call for each of [items] by [Llm.default], [concurrency] of them at a time: `bulk(reviews) { chat("openai/gpt-4o-mini") { user(it) } }`. Nothing is sent
 * before the first terminal. A call that fails leaves the others as they are. It is called `map` on a client: `llm.map(reviews) { … }`.
 *
 * @param call makes the call of an item. It may run at the same time for several items, and may block
 * @throws IllegalArgumentException if [concurrency] is not from 1 to 10000
 */
public fun <T : Any, R : Any> bulk(
    items: Iterable<T>,
    concurrency: Int = CONCURRENCY,
    options: BulkOptions.() -> Unit = {},
    call: (T) -> Call<R>,
): Bulk<T, R> = defaultBulk(items, concurrency, options, call)

/** A call for each of [items], which are taken when their calls are made: see the form with an Iterable. */
public fun <T : Any, R : Any> bulk(
    items: Sequence<T>,
    concurrency: Int = CONCURRENCY,
    options: BulkOptions.() -> Unit = {},
    call: (T) -> Call<R>,
): Bulk<T, R> = defaultBulk(items, concurrency, options, call)

/** A call for each of [items], which are collected as fast as their calls are made: see the form with an Iterable. */
public fun <T : Any, R : Any> bulk(
    items: Flow<T>,
    concurrency: Int = CONCURRENCY,
    options: BulkOptions.() -> Unit = {},
    call: (T) -> Call<R>,
): Bulk<T, R> = defaultBulk(items, concurrency, options, call)

private const val CONCURRENCY = 16
