package org.jetbrains.kotlinx.jupyter

/** The text of [failure] as the kernel of a notebook asks for it: from its package. */
internal fun textOfKernel(failure: Throwable): String = failure.stackTraceToString()
