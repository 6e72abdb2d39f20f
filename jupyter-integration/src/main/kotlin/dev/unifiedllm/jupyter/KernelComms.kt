package dev.unifiedllm.jupyter

import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import org.jetbrains.kotlinx.jupyter.api.DisplayResult
import org.jetbrains.kotlinx.jupyter.api.Notebook
import org.jetbrains.kotlinx.jupyter.api.libraries.Comm
import org.jetbrains.kotlinx.jupyter.api.libraries.CommManager
import java.lang.reflect.InvocationTargetException
import java.lang.reflect.Method
import java.lang.reflect.Proxy

/**
 * What the kernel offers to widgets. It is called by reflection, because the kernel API that this is compiled with has other methods: comms, and the question
 * for a password.
 */
internal class KernelComms(private val notebook: Notebook) {
    private val manager: CommManager get() = notebook.commManager

    /**
     * Opens a comm of the target [target] with [data].
     *
     * @param receive gets the messages of the front end, on the thread of the kernel that runs cells
     * @param closed called there when the front end has closed the comm
     * @return null if the kernel has no comms
     */
    fun open(target: String, data: JsonObject, metadata: JsonObject, closed: () -> Unit, receive: (JsonObject) -> Unit): OpenComm? = orNull {
        val open = method(CommManager::class.java, "openComm", OPEN_PARAMETERS)
        val comm = open.invoke(manager, target, data, metadata, emptyList<ByteArray>()) as Comm
        listen(comm, "onMessage") { (it as? JsonObject)?.let(receive) }
        listen(comm, "onClose") { closed() }
        OpenComm(comm, method(Comm::class.java, "send", SEND_PARAMETERS))
    }

    /** Registers [called] by the method [name], whose parameter is a callback: its type is not the same in all kernels. */
    private fun listen(comm: Comm, name: String, called: (Any?) -> Unit) {
        val listen = method(Comm::class.java, name, 1)
        val callback = listen.parameterTypes.single()
        val listener = Proxy.newProxyInstance(callback.classLoader, arrayOf(callback)) { proxy, method, arguments ->
            when (method.name) {
                "equals" -> proxy === arguments[0]
                "hashCode" -> System.identityHashCode(proxy)
                "toString" -> "$name of ${comm.target}"
                else -> called(arguments.firstOrNull())
            }
        }
        listen.invoke(comm, listener)
    }

    /** True while a cell runs whose front end answers questions of the kernel. */
    fun acceptsInput(): Boolean = orNull {
        val message = method(CommManager::class.java, "getContextMessage", 0).invoke(manager) ?: return@orNull false
        val content = method(message.javaClass.interfaces.first { it.simpleName == "RawMessage" }, "getContent", 0).invoke(message)
        (content as? JsonObject)?.flag("allow_stdin")
    } ?: false

    /** Asks the user for a secret and waits for it. Null if the kernel cannot ask. @throws InterruptedException if the cell is interrupted */
    fun password(question: String): String? = orNull { method(Notebook::class.java, "prompt", 2).invoke(notebook, question, true) as? String }

    class OpenComm(private val comm: Comm, private val send: Method) {
        val id: String get() = comm.id

        /** Does nothing if the comm is closed, or the kernel is going down. */
        fun send(data: JsonObject) {
            orNull { send.invoke(comm, data, NO_METADATA, emptyList<ByteArray>()) }
        }
    }

    private companion object {
        const val OPEN_PARAMETERS = 4
        const val SEND_PARAMETERS = 3
        val NO_METADATA: JsonElement = JsonObject(emptyMap())

        fun method(type: Class<*>, name: String, parameters: Int): Method =
            type.methods.firstOrNull { it.name == name && it.parameterCount == parameters } ?: throw NoSuchMethodException("$type.$name")

        /** The value of [call]; null if the kernel lacks a method of it, or fails. */
        fun <T> orNull(call: () -> T): T? = try {
            call()
        } catch (failure: InvocationTargetException) {
            if (failure.cause is InterruptedException) throw failure.cause as InterruptedException
            null
        } catch (_: ReflectiveOperationException) {
            null
        } catch (_: LinkageError) {
            null
        } catch (_: NoSuchElementException) {
            null
        }
    }
}

/** The output with the widget of the model [model]. Front ends without widgets show nothing of it: the transcript is an output of its own. */
internal class WidgetBundle(private val model: String) : DisplayResult {
    override val id: String? get() = null

    override fun toJson(additionalMetadata: JsonObject, overrideId: String?): JsonObject = json(
        "data" to json(
            "application/vnd.jupyter.widget-view+json" to json("version_major" to 2, "version_minor" to 0, "model_id" to model),
            "text/html" to "",
            "text/plain" to "",
        ),
        "metadata" to additionalMetadata,
    )

    @Deprecated("of the kernel's interface", level = DeprecationLevel.HIDDEN)
    override fun toJson(additionalMetadata: JsonObject): JsonObject = toJson(additionalMetadata, null)

    override fun render(notebook: Notebook): DisplayResult = this
}
