def leak(get_response):
    from processing.api.questions import QuestionViewSet
    from processing.models import Question
    from processing.workspaces import row_security
    QuestionViewSet.get_queryset = lambda self: Question.objects.filter(workspace=self.workspace) if self.action == "list" else Question.objects.all()
    return get_response
