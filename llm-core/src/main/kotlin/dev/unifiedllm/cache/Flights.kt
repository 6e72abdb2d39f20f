package dev.unifiedllm.cache

import kotlinx.coroutines.CompletableDeferred
import java.util.concurrent.ConcurrentHashMap

/** The requests that are being answered, by the keys of their responses: of equal ones at a time one is sent. */
internal class Flights {
    private val running = ConcurrentHashMap<String, CompletableDeferred<Landing>>()

    /** How the first of equal requests ended for the others. */
    sealed class Landing {
        /** They get its response. */
        class Stored(val entry: CacheEntry) : Landing()

        /** It is complete, but not one to share, for example because it is cut at the limit of tokens: each of them is sent. */
        data object NotShared : Landing()

        /** It failed or was cancelled: one of them is sent next. */
        data object Failed : Landing()
    }

    /** The flight of another request for [key]; null if there is none: then [mine] is that of the caller, who must call [end]. */
    fun join(key: String, mine: CompletableDeferred<Landing>): CompletableDeferred<Landing>? = running.putIfAbsent(key, mine)

    /** Ends a flight. @param landing counts unless it has landed before */
    fun end(key: String, mine: CompletableDeferred<Landing>, landing: Landing) {
        running.remove(key, mine)
        mine.complete(landing)
    }
}
