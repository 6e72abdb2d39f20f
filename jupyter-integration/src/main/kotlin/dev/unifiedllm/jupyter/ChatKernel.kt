package dev.unifiedllm.jupyter

import dev.unifiedllm.KeySource
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.defaultProviders
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import org.jetbrains.kotlinx.jupyter.api.KotlinKernelHost
import org.jetbrains.kotlinx.jupyter.api.Notebook

/** Shows chat widgets in the kernel: their comms, their outputs, and the question for a missing key. [Integration] registers it. */
internal object ChatKernel {
    @Volatile
    private var comms: KernelComms? = null

    @Volatile
    private var host: KotlinKernelHost? = null

    /** True while a cell runs, with the streaming of its value: messages of widgets wait then. After a cell that has failed, until the next message. */
    @Volatile
    var isBusy: Boolean = false
        private set

    /** Of the answers of all widgets; ends with the kernel. */
    val scope: CoroutineScope = CoroutineScope(SupervisorJob() + Dispatchers.Default)

    fun load(notebook: Notebook) {
        comms = KernelComms(notebook)
    }

    fun beforeCell(host: KotlinKernelHost) {
        this.host = host
        isBusy = true
    }

    /** The cell has ended, also the streaming of its value. The kernel does not tell it of a cell that has failed before. */
    fun afterCell() {
        isBusy = false
    }

    fun close(): Unit = scope.cancel()

    /** Shows [widget] in the output of the cell: the widget, and its transcript, which is hidden while the widget is alive. */
    fun show(widget: ChatWidget): Rendered {
        val host = host ?: return widget.transcript()
        if (widget.model == null) widget.model = opened(widget)
        widget.model?.let { host.display(WidgetBundle(it), null) }
        widget.session().onChange = {
            try {
                widget.transcripts.update(widget::transcript) { transcript, id -> host.updateDisplay(KernelAdapter.display(transcript), id) }
            } catch (_: RuntimeException) { // the kernel is going down
            }
        }
        widget.transcripts.add(widget::transcript) { transcript, id -> host.display(KernelAdapter.display(transcript), id) }
        return Rendered.NOTHING
    }

    /** Opens the comm of [widget]. Returns its id; null if the kernel has no comms. */
    private fun opened(widget: ChatWidget): String? {
        val session = widget.session()
        lateinit var comm: KernelComms.OpenComm
        val model = AnyWidget(widget.id, session, WidgetProtocol(session, scope) { isBusy }) { comm.send(it) }
        val state = model.state()
        val data = json("state" to state, "buffer_paths" to emptyList<String>())
        comm = comms?.open("jupyter.widget", data, json("version" to "2.1.0"), { closed(widget) }) { message ->
            isBusy = false // a message is read only when no cell runs
            model.receive(message)
        } ?: return null
        session.connect(model, state)
        return comm.id
    }

    /** The front end has closed the comm: the next cell that shows [widget] opens another one. */
    private fun closed(widget: ChatWidget) {
        widget.model = null
        widget.session().port = null
    }

    /** The key for [model], typed in by the user of the running cell, if its provider needs one and there is none; else null. It is not stored. */
    fun missingKey(model: ModelId): String? {
        val comms = comms?.takeIf { isBusy && it.acceptsInput() } ?: return null
        val provider = defaultProviders().firstOrNull { it.id == model.provider && it.key == KeySource.MISSING } ?: return null
        val variable = provider.variables.firstOrNull()?.let { ": $it is not set" }.orEmpty()
        return comms.password("Key for ${provider.id}$variable. It is kept for this widget only. Leave it empty to go on without:")?.trim()?.ifEmpty { null }
    }
}
