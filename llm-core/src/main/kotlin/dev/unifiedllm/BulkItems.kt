package dev.unifiedllm

import dev.unifiedllm.chat.CallContext
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.channels.ReceiveChannel
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.buffer
import kotlinx.coroutines.flow.produceIn
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import java.util.stream.Stream

/** An item and its place, from 0. */
internal class BulkItem<T : Any>(val index: Long, val item: T)

/**
 * The items of a bulk, each taken when a call is to be made of it.
 *
 * @property size null if it is not known
 */
internal class BulkItems<T : Any>(val size: Long?, private val begin: (CoroutineScope) -> Source<T>) {
    /** Where items come from, one at a time. */
    interface Source<T : Any> : AutoCloseable {
        /** Null at the end. @param index the place of the item */
        suspend fun next(index: Long): T?

        override fun close() = Unit
    }

    /** One pass over the items. */
    inner class Pass(scope: CoroutineScope) : AutoCloseable {
        private val source = begin(scope)
        private val lock = Mutex()
        private var count = 0L
        private var isEnded = false

        /** Null at the end, at the place [until] and after a failure, which one caller gets. */
        suspend fun next(until: Long = Long.MAX_VALUE): BulkItem<T>? = lock.withLock {
            if (isEnded || count >= until) return null
            isEnded = true // unless there is an item
            val item = source.next(count) ?: return null
            isEnded = false
            BulkItem(count++, item)
        }

        override fun close(): Unit = source.close()
    }

    companion object {
        /** @throws IllegalArgumentException if [items] is a collection that has a null, which one from Java can have */
        fun <T : Any> of(items: Iterable<T>): BulkItems<T> {
            val collection = items as? Collection<T> ?: return BulkItems(null) { blocking(items.iterator()) }
            requireNoNull(collection)
            return BulkItems(collection.size.toLong()) { ready(items.iterator()) }
        }

        fun <T : Any> of(items: Sequence<T>): BulkItems<T> = BulkItems(null) { blocking(items.iterator()) }

        fun <T : Any> of(items: Stream<T>): BulkItems<T> = BulkItems(null) { blocking(items.iterator(), items) }

        fun <T : Any> of(items: Flow<T>): BulkItems<T> = BulkItems(null) { scope -> received(items.buffer(0).produceIn(scope)) }

        private fun requireNoNull(items: Collection<Any?>) = items.forEachIndexed { index, item -> if (item == null) throw isNull(index.toLong()) }

        private fun isNull(index: Long) = IllegalArgumentException("Item $index of the bulk, counted from 0, is null. Leave null out.")

        private fun <T : Any> ready(items: Iterator<T?>) = object : Source<T> {
            override suspend fun next(index: Long): T? = if (items.hasNext()) items.next() ?: throw isNull(index) else null
        }

        /** Code of the user's, which may block: it may read a file. */
        private fun <T : Any> blocking(items: Iterator<T?>, toClose: AutoCloseable? = null) = object : Source<T> {
            override suspend fun next(index: Long): T? = runUserFunction("the items of a bulk", CallContext.EMPTY) {
                listOf(if (items.hasNext()) items.next() ?: throw isNull(index) else null)
            }.single()

            override fun close() {
                toClose?.close()
            }
        }

        private fun <T : Any> received(items: ReceiveChannel<T?>) = object : Source<T> {
            override suspend fun next(index: Long): T? = items.receiveCatching().let { result ->
                result.exceptionOrNull()?.let { throw it }
                if (result.isSuccess) result.getOrNull() ?: throw isNull(index) else null
            }

            override fun close() = items.cancel()
        }
    }
}
