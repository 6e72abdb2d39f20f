package dev.unifiedllm.chat

import kotlin.time.Duration

/** How the tools of a call are run. Null: the default, which for [maxIterations] is the client's setting. */
internal data class ToolSettings(
    val maxIterations: Int? = null,
    val maxParallel: Int? = null,
    val timeout: Duration? = null,
    val approve: (suspend (Part.ToolCall) -> Boolean)? = null,
) {
    fun over(defaults: ToolSettings): ToolSettings = ToolSettings(
        maxIterations ?: defaults.maxIterations,
        maxParallel ?: defaults.maxParallel,
        timeout ?: defaults.timeout,
        approve ?: defaults.approve,
    )
}
