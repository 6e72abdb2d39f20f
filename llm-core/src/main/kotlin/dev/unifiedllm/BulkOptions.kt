package dev.unifiedllm

import dev.unifiedllm.chat.Usd
import java.nio.file.Path
import java.util.function.Consumer

/** How a [Bulk] makes its calls. */
@LlmDsl
public class BulkOptions @InternalLlmApi constructor(concurrency: Int) {
    /**
     * How many calls run at a time, 16 by default; also how many items are taken ahead of their results. Rate limits of the client hold all the same.
     *
     * @throws IllegalArgumentException if it is not from 1 to 10000
     */
    @get:JvmSynthetic @set:JvmSynthetic
    public var concurrency: Int = checked(concurrency)
        set(value) {
            field = checked(value)
        }

    /** True, the default: results come in the order of the items. False: each comes as soon as it is there. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var inOrder: Boolean = true

    /**
     * No call starts when the costs of those that have ended reach this amount; those that run then end as usual, so that their costs come on top. Costs that
     * are not known do not count: see [BulkProgress.unpriced]. What [checkpoint] says was spent before counts. Null, the default: no limit.
     *
     * @throws IllegalArgumentException if it is not positive
     */
    @get:JvmSynthetic @set:JvmSynthetic
    public var maxCost: Usd? = null
        set(value) {
            require(value == null || value > Usd.ZERO) { "maxCost must be positive, was $value" }
            field = value
        }

    /**
     * The file that keeps the results, so that a run that was killed goes on where it was: each result is appended as soon as it is there, and an item whose
     * result is in the file is not sent again. Failed items are. An item is known by its place, its text ([Any.toString]) and what is asked for it: the request
     * with the defaults of the client, the model that an alias or a default stands for, its base URL, and the type of the answer.
     * Null, the default: nothing is kept.
     *
     * The responses of chats, embeddings and images are in the file as they came, and nothing of the prompts but hashes. It is readable by its owner only.
     */
    @get:JvmSynthetic @set:JvmSynthetic
    public var checkpoint: Path? = null

    @get:JvmSynthetic
    internal val listeners: MutableList<Consumer<BulkProgress>> = mutableListOf()

    /** @throws IllegalArgumentException if it is not from 1 to 10000 */
    public fun concurrency(count: Int): BulkOptions = apply { concurrency = count }

    public fun inOrder(inOrder: Boolean): BulkOptions = apply { this.inOrder = inOrder }

    /** @throws IllegalArgumentException if it is not positive */
    public fun maxCost(amount: Usd?): BulkOptions = apply { maxCost = amount }

    public fun checkpoint(file: Path?): BulkOptions = apply { checkpoint = file }

    /**
     * Hands the progress to [listener] after each result, one after the other; of items whose number is not known, once more at the end. It holds the results
     * up while it runs. An exception of its is a warning in the progress, and it is not called again.
     */
    @JvmSynthetic
    public fun onProgress(listener: (BulkProgress) -> Unit): BulkOptions = apply { listeners += Consumer(listener) }

    /** Hands the progress to [listener] after each result: see the form with a lambda. */
    public fun onProgress(listener: Consumer<BulkProgress>): BulkOptions = apply { listeners += listener }

    /**
     * Prints the progress to the standard error stream: a bar in a terminal, elsewhere a line every ten seconds. In a notebook nothing is printed, because a
     * cell shows a bar for each bulk.
     */
    public fun showProgress(): BulkOptions = apply { if (BulkObserver.observer == null) listeners += ProgressText.ofProcess() }

    private companion object {
        const val MAX = 10_000

        fun checked(concurrency: Int): Int {
            require(concurrency in 1..MAX) { "concurrency must be from 1 to $MAX, was $concurrency" }
            return concurrency
        }
    }
}
