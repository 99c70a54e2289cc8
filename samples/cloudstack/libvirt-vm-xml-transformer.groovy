import java.util.concurrent.TimeUnit

/**
 * Places the host devices of a virtual machine behind vSMMUs. CloudStack's agent runs this script, which returns an object, and
 * calls the object's method `transform` for each domain that it is about to start. If vsmmu fails, `transform` returns the domain
 * unchanged, so that it starts.
 */
class VsmmuTransformer {
    static final List<String> COMMAND = ['vsmmu', 'rewrite', '--libvirt', 'here', '--qemu', 'here', '-']
    static final long LIMIT_SECONDS = Long.getLong('vsmmu.limit', 30)

    String transform(Object logger, String xml) {
        // A domain without a host device needs no vSMMU, so a missing vsmmu is not a failure.
        if (!xml.contains('hostdev')) return xml
        List<File> files = []
        try {
            // Files, because a program blocks when it writes to a full pipe.
            ['domain', 'result', 'messages'].each { files << File.createTempFile("vsmmu-$it-", '.xml') }
            def (File domain, File result, File messages) = files
            domain.setText(xml, 'UTF-8')
            Process program = new ProcessBuilder(COMMAND)
                .redirectInput(domain).redirectOutput(result).redirectError(messages).start()
            if (!program.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
                program.destroyForcibly()
                throw new IOException("it took longer than $LIMIT_SECONDS seconds")
            }
            String printed = messages.getText('UTF-8').trim()
            if (program.exitValue() != 0) throw new IOException("exit code ${program.exitValue()}: $printed")
            String converted = result.getText('UTF-8')
            if (!converted.contains('</domain>')) throw new IOException('it printed no domain')
            if (printed) logger.info("vsmmu rewrite: $printed".toString())
            return converted
        } catch (Throwable failure) {
            logger.warn("vsmmu rewrite failed, the domain stays as it was: ${failure.message}".toString())
            return xml
        } finally {
            files*.delete()
        }
    }
}

new VsmmuTransformer()
