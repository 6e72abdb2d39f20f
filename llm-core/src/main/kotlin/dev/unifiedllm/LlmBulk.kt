package dev.unifiedllm

import kotlinx.coroutines.flow.Flow
import java.util.function.Consumer
import java.util.function.Function
import java.util.stream.Stream

/** The bulk calls of a client. */
public abstract class LlmBulk internal constructor(client: Client, from: FromKotlin) : LlmReports(client, from) {
    /**
     * A call for each of [items], [concurrency] of them at a time: `llm.map(reviews) { chat("openai/gpt-4o-mini", it) }`. Nothing is sent before the first
     * terminal. A call that fails leaves the others as they are.
     *
     * @param call makes the call of an item, such as `chat(…)`, `embed(…)`, `image(…)` or `chat(…).typed<City>()`. It may run at the same time for several
     * items, and may block
     * @throws IllegalArgumentException if [concurrency] is not from 1 to 10000
     */
    @JvmSynthetic
    public fun <T : Any, R : Any> map(
        items: Iterable<T>,
        concurrency: Int = CONCURRENCY,
        options: BulkOptions.() -> Unit = {},
        call: Llm.(T) -> Call<R>,
    ): Bulk<T, R> = of(BulkItems.of(items), concurrency, options, call)

    /** A call for each of [items], which are taken when their calls are made: see the form with an Iterable. The bulk goes over them once. */
    @JvmSynthetic
    public fun <T : Any, R : Any> map(
        items: Sequence<T>,
        concurrency: Int = CONCURRENCY,
        options: BulkOptions.() -> Unit = {},
        call: Llm.(T) -> Call<R>,
    ): Bulk<T, R> = of(BulkItems.of(items), concurrency, options, call)

    /** A call for each of [items], which are collected as fast as their calls are made: see the form with an Iterable. */
    @JvmSynthetic
    public fun <T : Any, R : Any> map(
        items: Flow<T>,
        concurrency: Int = CONCURRENCY,
        options: BulkOptions.() -> Unit = {},
        call: Llm.(T) -> Call<R>,
    ): Bulk<T, R> = of(BulkItems.of(items), concurrency, options, call)

    /**
     * A call for each of [items], 16 of them at a time: `llm.map(reviews, text -> llm.chat("openai/gpt-4o-mini", text))`. Nothing is sent before the first
     * terminal. A call that fails leaves the others as they are.
     *
     * @param call makes the call of an item. It may run at the same time for several items, and may block
     * @throws IllegalArgumentException if [items] is a collection that has a null. Of other items a null ends the bulk with this exception
     */
    public fun <T : Any, R : Any> map(items: Iterable<T>, call: Function<in T, out Call<R>>): Bulk<T, R> = map(items, Consumer { }, call)

    /** A call for each of [items] with [options]: see the form without them. */
    public fun <T : Any, R : Any> map(items: Iterable<T>, options: Consumer<BulkOptions>, call: Function<in T, out Call<R>>): Bulk<T, R> =
        of(BulkItems.of(items), CONCURRENCY, { options.accept(this) }) { call.apply(it) }

    /** A call for each of [items], which are taken when their calls are made. The stream is closed at the end. */
    public fun <T : Any, R : Any> map(items: Stream<T>, call: Function<in T, out Call<R>>): Bulk<T, R> = map(items, Consumer { }, call)

    /** A call for each of [items] with [options]. The items are taken when their calls are made, and the stream is closed at the end. */
    public fun <T : Any, R : Any> map(items: Stream<T>, options: Consumer<BulkOptions>, call: Function<in T, out Call<R>>): Bulk<T, R> =
        of(BulkItems.of(items), CONCURRENCY, { options.accept(this) }) { call.apply(it) }

    private fun <T : Any, R : Any> of(
        items: BulkItems<T>,
        concurrency: Int,
        options: BulkOptions.() -> Unit,
        call: Llm.(T) -> Call<R>,
    ): Bulk<T, R> {
        val llm = this as Llm
        return newBulk({ client }, items, concurrency, options) { llm.call(it) }
    }

    private companion object {
        const val CONCURRENCY = 16
    }
}
